import { fileURLToPath } from 'node:url'
import { isOwn, whoseIs } from './place.js'

/** The longest list of ticks that is shown; the rest is in the file. */
const MOST = 15

/**
 * Of what `node --prof-process` says: ticks by owner and the summary, without the call tree, which has thousands of lines;
 * and one's own functions, which seldom make it to the top.
 *
 * @param root the project's folder, as a `file:` URL that ends in a slash; paths below it are shown without it
 */
export function processedSummary (processed: string, root: URL): string {
  const sections = processed.replaceAll(root.href, '').replaceAll(fileURLToPath(root), '').split(/\n(?= \[)/)
  const shown = sections.filter((section) => !/^ \[(Bottom up|C\+\+ entry points)/.test(section))
  const [head, ...own] = (sections.find((section) => section.startsWith(' [JavaScript]')) ?? '').split('\n').slice(1).filter(isHeadOrOwn)
  return [...shown, [' [The example app and Headroom alone]:', head, ...own].join('\n')].map(cut).join('\n\n')
}

function isHeadOrOwn (line: string, index: number): boolean {
  return index === 0 || isOwn(whoseIs(/ (\S+):\d+:\d+$/.exec(line)?.[1] ?? ''))
}

function cut (section: string): string {
  const lines = section.trimEnd().split('\n')
  const left = lines.length - MOST - 2
  return left > 0 ? [...lines.slice(0, MOST + 2), `   … and ${left} more`].join('\n') : lines.join('\n')
}
