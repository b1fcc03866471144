/**
 * Rows as a table for a terminal: columns as wide as their widest cell, two spaces between them, no line longer than it must
 * be. What a service sent is shown without its control characters, which could otherwise write over other lines.
 */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_name, column) => Math.max(...shown.map((row) => row[column]?.length ?? 0)))
  return shown.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ').trimEnd()}\n`).join('')
}

export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the point is to take them out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}
