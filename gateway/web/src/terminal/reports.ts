/* eslint-disable no-control-regex -- escape sequences are what this file is about */
// Tells what the emulator says by itself (answers to queries, focus and mouse reports) from what a person typed.

const REPORTS = [
  /^\x1b\[[?>=]?[\d;]*c$/, // device attributes
  /^\x1b\[\??\d+;\d+(?:;\d+)?R$/, // cursor position
  /^\x1b\[\??[\d;]*n$/, // device status
  /^\x1b\[[IO]$/, // focus in and out
  /^\x1b\[<\d+;\d+;\d+[Mm]$/, // mouse, SGR
  /^\x1b\[M[\s\S]{3}$/, // mouse, X10
  /^\x1b\[\?[\d;]+\$y$/, // mode
  /^\x1b\[[\d;]+\$y$/,
  /^\x1b\[[468];\d+;\d+t$/, // window size
  /^\x1b\](?:\d+;)+[\s\S]*(?:\x07|\x1b\\)$/, // colours
  /^\x1bP[\s\S]*\x1b\\$/, // settings, version
];

export function isReport(data: string): boolean {
  return data.startsWith("\x1b") && REPORTS.some((form) => form.test(data));
}
