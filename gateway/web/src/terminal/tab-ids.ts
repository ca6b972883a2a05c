// Names of elements, by which a tab and its panel know each other.

export const tabId = (tab: number): string => `terminal-tab-${tab}`;
export const panelId = (tab: number): string => `terminal-panel-${tab}`;

/** Leads the keyboard out of a terminal: to its tab, else to what is there instead. */
export function focusTab(tab: number | undefined, instead: HTMLElement | null): void {
  const element = tab === undefined ? null : document.getElementById(tabId(tab));
  (element ?? instead)?.focus();
}
