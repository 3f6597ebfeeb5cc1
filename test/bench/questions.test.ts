import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ask } from '../../bench/questions.js'
import { fixture as fixtureOf } from '../helpers/project.js'

const fixture = fileURLToPath(fixtureOf('./fixtures/answers.ts', import.meta.url))

t.test('a child answers, says why it cannot, and is missed when it has gone', async (t) => {
  const child = fork(fixture)
  t.teardown(() => child.kill('SIGKILL'))
  t.strictSame(await ask(child, { double: 21 }), 42)
  t.strictSame(await ask(child, { double: 1 }), 2)
  await t.rejects(ask(child, { fail: 'no such thing' }), { message: /no such thing/ })
  await t.rejects(ask(child, { exit: 3 }), { message: 'a process of the bench ended with 3 before it answered' })
  await t.rejects(ask(child, { double: 1 }), { message: 'a process of the bench ended with 3 before it answered' })
})

t.test('a child that has died is missed, also before this process could know', async (t) => {
  const child = fork(fixture)
  await ask(child, { double: 1 })
  child.kill('SIGKILL')
  // It dies while this thread is blocked, so that no event can tell before the question is sent.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  await t.rejects(ask(child, { double: 1 }), { message: 'a process of the bench ended with SIGKILL before it answered' })
})

t.test('a child whose questioner has gone is no crash', async (t) => {
  const child = fork(fixture)
  await ask(child, { double: 1 })
  child.send({ double: 1, late: true })
  child.disconnect()
  t.strictSame(await once(child, 'exit'), [0, null])
})
