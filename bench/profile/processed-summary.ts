/** The longest list of ticks that is shown; the rest is in the file. */
const MOST = 15

/** Of what `node --prof-process` says: ticks by owner and the summary, without the call tree, which has thousands of lines. */
export function processedSummary (processed: string): string {
  const sections = processed.split(/\n(?= \[)/)
  return sections
    .filter((section) => !/^ \[(Bottom up|C\+\+ entry points)/.test(section))
    .map((section) => {
      const lines = section.trimEnd().split('\n')
      const left = lines.length - MOST - 2
      return left > 0 ? [...lines.slice(0, MOST + 2), `   … and ${left} more`].join('\n') : lines.join('\n')
    })
    .join('\n\n')
}
