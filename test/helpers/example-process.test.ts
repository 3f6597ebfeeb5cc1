import t from 'tap'
import { isAlive } from '../services/fixtures/spawn-owner.js'
import { runApp } from './app-process.js'
import { eventually } from './eventually.js'
import { fixture } from './project.js'

t.test('no example app outlives a test that was killed', async (t) => {
  const owner = await runApp(t, fixture('./fixtures/example-owner.ts', import.meta.url))
  const [{ pid }] = owner.messages() as [{ pid: number }]
  t.ok(isAlive(pid))
  await owner.kill()
  await t.resolves(eventually(() => !isAlive(pid)))
})
