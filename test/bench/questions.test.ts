import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ask } from '../../bench/questions.js'

const fixture = fileURLToPath(new URL('./fixtures/answers.ts', import.meta.url))

t.test('a child answers, says why it cannot, and is missed when it has gone', async (t) => {
  const child = fork(fixture)
  t.teardown(() => child.kill('SIGKILL'))
  t.strictSame(await ask(child, { double: 21 }), 42)
  t.strictSame(await ask(child, { double: 1 }), 2)
  await t.rejects(ask(child, { fail: 'no such thing' }), { message: /no such thing/ })
  await t.rejects(ask(child, { exit: 3 }), { message: 'a process of the bench ended with 3 before it answered' })
  await t.rejects(ask(child, { double: 1 }), { message: 'a process of the bench ended with 3 before it answered' })
})
