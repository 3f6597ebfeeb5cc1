import t from 'tap'
import { InOrder } from '../../plugins/cache/in-order.js'

t.test('the work of a key runs one after the other, also after an error; other keys do not wait', async (t) => {
  const inOrder = new InOrder()
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
