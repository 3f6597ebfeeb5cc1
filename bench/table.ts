/** Lines of columns: figures to the right, words to the left. */
export function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const figure = head.map((_, column) => rows.every((row) => /^\d/.test(row[column]!)))
  const render = (line: readonly string[]): string => line
    .map((cell, column) => figure[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))
    .join('  ').trimEnd()
  return [render(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(render)].join('\n')
}

/** Three figures that mean something, such as `18.7M`, `412k`, `0.53`. */
export function figures (value: number): string {
  if (value >= 999_500) return `${short(value / 1e6)}M`
  if (value >= 9_995) return `${short(value / 1e3)}k`
  return short(value)
}

function short (value: number): string {
  if (value >= 99.95) return value.toFixed(0)
  if (value >= 9.995) return value.toFixed(1)
  return value >= 0.0995 || value === 0 ? value.toFixed(2) : value.toPrecision(2)
}
