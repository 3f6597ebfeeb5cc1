import t from 'tap'
import type { Frame } from '../../bench/profile/cpu-profile.js'
import type { Place } from '../../bench/profile/place.js'
import { summarise } from '../../bench/profile/self-time.js'
import { summaryText } from '../../bench/profile/summary-text.js'

const frame = (name: string, self: number, url: string, children: Frame[] = []): Frame => ({ name, self, url, line: 0, column: 0, children })
const placeOf = ({ name, url }: Frame): Place => ({ name, where: url, whose: url.startsWith('node:') ? 'node' : url === '' ? 'v8' : 'example' })

const query = (self: number): Frame => frame('query', self, 'example-app/users.ts:1')
const root = frame('(root)', 0, '', [
  frame('(idle)', 600, ''),
  frame('emit', 100, 'node:events', [query(150), frame('handler', 50, 'example-app/users.ts:9', [query(100)])])
])

t.test('a function is summed up over all places it was called from, the most expensive first', (t) => {
  const { functions } = summarise(root, placeOf)
  t.strictSame(functions.map(({ name, self, share }) => [name, self, share]), [['query', 250, 0.625], ['emit', 100, 0.25], ['handler', 50, 0.125]])
  t.end()
})

t.test('shares are of the time that was not idle', (t) => {
  t.strictSame(summarise(root, placeOf).whose, [{ whose: 'example', share: 0.75 }, { whose: 'node', share: 0.25 }])
  t.end()
})

t.test('one reads how busy it was, whose code it was, and which function', (t) => {
  const text = summaryText(summarise(root, placeOf), { cpu: 0.4, eventLoop: 0.5, delayP99: 3.21 })
  t.match(text, 'CPU busy 40.0%, event loop busy 50.0%, late by 3.2 ms in the worst hundredth\nthe example app 75.0%, Node 25.0%')
  const [all, own] = text.split('The same for the example app and Headroom alone')
  t.match(all, /^query +62\.5% +0\.3 +example-app\/users\.ts:1\nemit +25\.0%/m)
  t.match(own, /^handler +12\.5%/m)
  t.notMatch(own, 'emit')
  t.end()
})
