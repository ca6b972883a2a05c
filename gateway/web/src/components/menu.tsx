import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { Check, type LucideIcon } from "lucide-react";

export function Menu({ trigger, children, align = "end" }: { trigger: ReactNode; children: ReactNode; align?: "start" | "end" }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="animate-appear z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-48 overflow-y-auto rounded-lg bg-raised p-1 shadow-float"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface ItemProps {
  icon?: LucideIcon;
  onSelect: () => void;
  children: ReactNode;
  danger?: boolean;
  disabled?: boolean;
}

const ITEM =
  "flex h-8 pointer-coarse:h-11 items-center gap-2 rounded-md px-2 text-sm outline-none select-none data-disabled:opacity-50 data-highlighted:bg-hover";

export function MenuItem({ icon: Icon, onSelect, children, danger = false, disabled = false }: ItemProps) {
  return (
    <DropdownMenu.Item disabled={disabled} onSelect={onSelect} className={`${ITEM} ${danger ? "text-bad" : "text-ink"}`}>
      {Icon !== undefined && <Icon className="size-4 opacity-80" aria-hidden />}
      {children}
    </DropdownMenu.Item>
  );
}

/** Something that is on or off. */
export function MenuCheck({ checked, onChange, children }: { checked: boolean; onChange: (checked: boolean) => void; children: ReactNode }) {
  return (
    <DropdownMenu.CheckboxItem checked={checked} onCheckedChange={onChange} className={`${ITEM} relative pl-7 text-ink`}>
      <DropdownMenu.ItemIndicator className="absolute left-2">
        <Check className="size-3.5" aria-hidden />
      </DropdownMenu.ItemIndicator>
      {children}
    </DropdownMenu.CheckboxItem>
  );
}

interface ChoiceProps {
  value: string;
  onChange: (value: string) => void;
  choices: { value: string; label: string }[];
}

export function MenuChoice({ value, onChange, choices }: ChoiceProps) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={onChange}>
      {choices.map((choice) => (
        <DropdownMenu.RadioItem key={choice.value} value={choice.value} className={`${ITEM} pl-7 relative text-ink`}>
          <DropdownMenu.ItemIndicator className="absolute left-2.5 size-1.5 rounded-full bg-accent-text" />
          <span className="truncate">{choice.label}</span>
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <DropdownMenu.Label className="px-2 py-1.5 text-xs text-faint">{children}</DropdownMenu.Label>;
}

export function MenuLine() {
  return <DropdownMenu.Separator className="-mx-1 my-1 h-px bg-line" />;
}
