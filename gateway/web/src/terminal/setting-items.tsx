import { MenuCheck, MenuItem } from "../components/menu";
import { changeSettings, clampFont, USUAL_FONT, useSettings } from "./settings";

/** What of a terminal this browser remembers. */
export function SettingItems() {
  const { fontSize, copyOnSelect, guardPaste, screenReader } = useSettings();
  return (
    <>
      <MenuItem onSelect={() => changeSettings({ fontSize: clampFont(fontSize + 1) })}>Larger text</MenuItem>
      <MenuItem onSelect={() => changeSettings({ fontSize: clampFont(fontSize - 1) })}>Smaller text</MenuItem>
      <MenuItem disabled={fontSize === USUAL_FONT} onSelect={() => changeSettings({ fontSize: USUAL_FONT })}>Usual text size</MenuItem>
      <MenuCheck checked={copyOnSelect} onChange={(checked) => changeSettings({ copyOnSelect: checked })}>Copy what is selected</MenuCheck>
      <MenuCheck checked={guardPaste} onChange={(checked) => changeSettings({ guardPaste: checked })}>Ask before pasting many lines</MenuCheck>
      <MenuCheck checked={screenReader} onChange={(checked) => changeSettings({ screenReader: checked })}>Read output to a screen reader</MenuCheck>
    </>
  );
}
