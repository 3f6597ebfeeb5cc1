import { once } from 'node:events'
import t from 'tap'
import { buildServices, isAlive, spawnOwner, within } from './fixtures/spawn-owner.js'

t.before(buildServices)

for (const kind of ['redis', 'postgres'] as const) {
  t.test(`${kind} is gone, with its folder, when its owner is killed`, async (t) => {
    const owner = await spawnOwner(t, kind)
    t.ok(isAlive(owner.pid))
    t.not((await owner.leftovers()).length, 0)

    owner.process.kill('SIGKILL')

    t.ok(await within(3_000, () => !isAlive(owner.pid)), 'server is gone')
    t.ok(await within(3_000, async () => (await owner.leftovers()).length === 0), 'folder is gone')
  })

  t.test(`Ctrl-C does not reach ${kind} before its owner closes it`, async (t) => {
    const owner = await spawnOwner(t, kind)

    process.kill(-owner.process.pid!, 'SIGINT')

    t.equal((await owner.lines.next()).value, 'served while draining')
    const [status] = await once(owner.process, 'exit')
    t.equal(status, 0)
    t.notOk(isAlive(owner.pid))
    t.same(await owner.leftovers(), [])
  })
}

t.test('a frozen server is gone, too, when its owner is killed', async (t) => {
  const owner = await spawnOwner(t, 'postgres')
  process.kill(owner.pid, 'SIGSTOP')

  owner.process.kill('SIGKILL')

  t.ok(await within(3_000, () => !isAlive(owner.pid)))
})
