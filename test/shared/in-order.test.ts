import t from 'tap'
import { InOrder } from '../../plugins/shared/in-order.js'
import { gate } from '../helpers/gate.js'

t.test('the work of a key runs one after the other, also after an error; other keys do not wait', async (t) => {
  const inOrder = new InOrder<unknown>()
  const log: string[] = []
  let open!: () => void
  const gate = new Promise<void>((resolve) => { open = resolve })
  const first = inOrder.run('a', async () => { await gate; log.push('first'); throw new Error('its own') })
  const second = inOrder.run('a', async () => { log.push('second'); return 2 })
  const other = inOrder.run('b', async () => { log.push('other') })
  await other
  t.strictSame(log, ['other'])
  open()
  await t.rejects(first, { message: 'its own' })
  t.equal(await second, 2)
  t.strictSame(log, ['other', 'first', 'second'])
  t.equal(await inOrder.run('a', async () => 3), 3)
})

t.test('of what waits and leaves nothing of what is before it, only the last runs, for all who asked', async (t) => {
  const inOrder = new InOrder<string>()
  const log: string[] = []
  const first = gate<string>()
  const work = (name: string) => async () => {
    log.push(name)
    return name
  }
  const begun = inOrder.run('a', first.pass, true)
  const outcomes = [
    ...['b', 'c'].map((name) => inOrder.run('a', work(name), true)),
    inOrder.run('a', work('d')),
    ...['e', 'f', 'g'].map((name) => inOrder.run('a', work(name), true))
  ]
  first.open('first')
  t.equal(await begun, 'first')
  t.strictSame(await Promise.all(outcomes), ['c', 'c', 'd', 'g', 'g', 'g'])
  t.strictSame(log, ['c', 'd', 'g'])
})

t.test('all who asked have its error', async (t) => {
  const inOrder = new InOrder<string>()
  const first = gate<string>()
  const outcomes = [inOrder.run('a', first.pass), ...[1, 2].map(() => inOrder.run('a', async () => { throw new Error('its own') }, true))]
  first.open('first')
  const settled = await Promise.allSettled(outcomes)
  t.match(settled.map((one) => one.status === 'rejected' ? (one.reason as Error).message : one.value), ['first', 'its own', 'its own'])
})
