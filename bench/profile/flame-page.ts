import type { Box } from './flame-layout.js'

const ROW = 18

/**
 * A flame graph in one file that asks for nothing else: boxes of HTML, which show without the script; the script zooms
 * and searches.
 */
export function flamePage (title: string, boxes: readonly Box[]): string {
  const rows = 1 + boxes.reduce((deepest, { depth }) => Math.max(deepest, depth), 0)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}#flames { height: ${rows * ROW}px }</style>
<h1>${escape(title)}</h1>
<p>Each row is called by the one above it; the width is CPU time. Click a box to zoom in, the top one to zoom out.
<input id="search" type="search" placeholder="find a function or file" aria-label="find a function or file"> <output id="found"></output></p>
<p>${LEGEND.map(([whose, meaning]) => `<span class="key ${whose}">${meaning}</span>`).join(' ')}</p>
<div id="flames">
${boxes.map(boxHtml).join('\n')}
</div>
<script>${SCRIPT}</script>
</html>
`
}

function boxHtml ({ name, where, whose, left, width, depth, total }: Box): string {
  const share = `${(width * 100).toFixed(2)}%, ${(total / 1_000).toFixed(1)} ms`
  const label = escape(where === '' ? name : `${name}  ${where}`)
  return `<div class="${whose}" style="left:${percent(left)};width:${percent(width)};top:${depth * ROW}px"` +
    ` data-left="${round(left)}" data-width="${round(width)}" data-depth="${depth}" title="${label}\n${share}">${label}</div>`
}

/** Names come from the code that was profiled, and computed ones may hold anything. */
export function escape (text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const percent = (share: number): string => `${round(share * 100)}%`
const round = (value: number): string => String(Number(value.toFixed(6)))

const LEGEND = [
  ['example', 'the example app'], ['headroom', 'Headroom'], ['dependency', 'npm packages'], ['node', 'Node'],
  ['v8', 'V8: garbage collection, native code'], ['services', 'services'], ['other', 'other']
] as const

const STYLE = `
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; color: #222; background: #fff }
h1 { font-size: 1.2rem }
#flames { position: relative }
#flames div { position: absolute; box-sizing: border-box; height: ${ROW}px; padding: 0 3px; overflow: hidden; white-space: pre;
  font-size: 12px; line-height: ${ROW - 1}px; border: 1px solid #fff; cursor: pointer }
#flames div:hover, #flames div.hit { outline: 2px solid #000; z-index: 1 }
.key { padding: 1px 6px }
.example { background: #ffb870 } .headroom { background: #ff9a9a } .dependency { background: #f6e08a }
.node { background: #a9d5a3 } .v8 { background: #cfcfcf } .services { background: #c9b6e4 } .other { background: #a8cbe8 }
`

const SCRIPT = `
const boxes = [...document.querySelectorAll('#flames div')]
const of = (box) => ({ left: Number(box.dataset.left), width: Number(box.dataset.width), depth: Number(box.dataset.depth) })
document.getElementById('flames').addEventListener('click', ({ target }) => {
  if (!boxes.includes(target)) return
  const zoom = of(target)
  for (const box of boxes) {
    const { left, width, depth } = of(box)
    const caller = depth < zoom.depth && left <= zoom.left + 1e-9 && left + width >= zoom.left + zoom.width - 1e-9
    const inside = depth >= zoom.depth && left >= zoom.left - 1e-9 && left + width <= zoom.left + zoom.width + 1e-9
    box.hidden = !caller && !inside
    box.style.left = caller ? '0' : (left - zoom.left) / zoom.width * 100 + '%'
    box.style.width = caller ? '100%' : width / zoom.width * 100 + '%'
  }
})
document.getElementById('search').addEventListener('input', ({ target }) => {
  const wanted = target.value.toLowerCase()
  const hits = boxes.filter((box) => {
    const hit = wanted !== '' && box.title.toLowerCase().includes(wanted)
    box.classList.toggle('hit', hit)
    return hit
  })
  document.getElementById('found').value = wanted === '' ? '' : hits.length + ' boxes'
})
`
