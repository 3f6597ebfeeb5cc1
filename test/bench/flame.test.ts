import t from 'tap'
import type { Frame } from '../../bench/profile/cpu-profile.js'
import { layOut } from '../../bench/profile/flame-layout.js'
import { flamePage } from '../../bench/profile/flame-page.js'
import type { Place } from '../../bench/profile/place.js'

const frame = (name: string, self: number, children: Frame[] = []): Frame => ({ name, self, url: '', line: 0, column: 0, children })
const placeOf = ({ name }: Frame): Place => ({ name, where: name.startsWith('(') ? '' : 'app.ts:1', whose: 'example' })

t.test('a box is as wide as its share, lies under its caller, and the widest comes first', (t) => {
  const root = frame('(root)', 0, [frame('small', 25), frame('large', 25, [frame('inner', 50)])])
  t.match(layOut(root, placeOf), [
    { name: '(root)', left: 0, width: 1, depth: 0, total: 100 },
    { name: 'large', left: 0, width: 0.75, depth: 1, total: 75 },
    { name: 'inner', left: 0, width: 0.5, depth: 2, total: 50 },
    { name: 'small', left: 0.75, width: 0.25, depth: 1, total: 25 }
  ])
  t.end()
})

t.test('idle time is left out, what nobody could see too, and one function is one box', (t) => {
  const root = frame('(root)', 0, [frame('(idle)', 9_000), frame('f', 500, [frame('g', 1)]), frame('f', 499.9, []), frame('tiny', 0.1)])
  t.strictSame(layOut(root, placeOf).map(({ name, depth, width }) => [name, depth, Math.round(width * 1e4) / 1e4]), [
    ['(root)', 0, 1], ['f', 1, 0.9999], ['g', 2, 0.001]
  ])
  t.end()
})

t.test('the page is whole in itself, and no name breaks out of it', (t) => {
  const root = frame('(root)', 0, [frame('"><script>alert(1)</script>', 100)])
  const page = flamePage('GET /?q=<b>', layOut(root, placeOf))
  t.notMatch(page, '<script>alert')
  t.notMatch(page, '<b>')
  t.match(page, '&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;  app.ts:1')
  t.notMatch(page, /https?:|src=|@import|url\(/)
  t.match(page, "default-src 'none'")
  t.equal(page.match(/data-depth=/g)?.length, 2)
  t.end()
})
