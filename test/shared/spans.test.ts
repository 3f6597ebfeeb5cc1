import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { collectSpans, enableSpans, inSpan, type Span } from '../../plugins/shared/spans.js'

t.test('while nobody collects, work is only called', async (t) => {
  const told: Span[] = []
  collectSpans((span) => told.push(span), () => t.equal(inSpan('a', () => 1), 1))
  t.strictSame(told, [])
})

t.test('spans reach the request they were run for, across awaits and side by side', async (t) => {
  const disable = enableSpans()
  t.teardown(disable)
  const run = async (names: string[]): Promise<string[]> => {
    const spans: Span[] = []
    await collectSpans((span) => spans.push(span), async () => {
      for (const name of names) {
        await turn()
        await inSpan(name, async () => { await turn(); inSpan(`${name} inner`, () => {}) })
      }
    })
    t.ok(spans.every(({ start, end }) => end !== undefined && end >= start))
    return spans.map(({ name }) => name)
  }
  t.strictSame(await Promise.all([run(['a', 'b']), run(['c'])]), [['a', 'a inner', 'b', 'b inner'], ['c', 'c inner']])
})

t.test('results and errors pass through, sync and async, and end the span', async (t) => {
  const disable = enableSpans()
  t.teardown(disable)
  const spans: Span[] = []
  const failure = new Error('its own')
  await collectSpans((span) => spans.push(span), async () => {
    t.equal(inSpan('sync', () => 1), 1)
    t.equal(await inSpan('async', async () => 2), 2)
    t.throws(() => inSpan('throws', () => { throw failure }), failure)
    await t.rejects(inSpan('rejects', async () => { throw failure }), failure)
  })
  t.strictSame(spans.map(({ name, end }) => [name, typeof end]), [['sync', 'number'], ['async', 'number'], ['throws', 'number'], ['rejects', 'number']])
})

t.test('outside a request there is no span, and the last collector switches them off', async (t) => {
  const [one, two] = [enableSpans(), enableSpans()]
  const spans: Span[] = []
  t.equal(inSpan('outside', () => 1), 1)
  one()
  one()
  collectSpans((span) => spans.push(span), () => inSpan('still on', () => {}))
  two()
  collectSpans((span) => spans.push(span), () => inSpan('off', () => {}))
  t.strictSame(spans.map(({ name }) => name), ['still on'])
})
