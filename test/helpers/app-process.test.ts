import { connect } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { isAlive } from '../services/fixtures/spawn-owner.js'
import { runApp } from './app-process.js'
import { eventually } from './eventually.js'
import { fixture } from './project.js'

const app = fixture('./fixtures/app.ts', import.meta.url)

async function whoAnswers (url: string): Promise<Record<string, unknown>> {
  return await (await fetch(url)).json() as Record<string, unknown>
}

// Side by side: most of the time they wait for apps.
t.jobs = 3

t.test('an app written in TypeScript runs in a process of its own and answers', async (t) => {
  const running = await runApp(t, app, { env: { COLOUR: 'green' }, args: ['--loud'] })
  t.not(running.pid, process.pid)
  t.strictSame(await whoAnswers(running.url), { pid: running.pid, args: ['--loud'], colour: 'green' })
  t.match(running.output(), 'about to listen')
})

t.test('test and app send each other messages', async (t) => {
  const running = await runApp(t, app)
  running.send({ hello: 'app' })
  await eventually(() => running.messages().length > 0)
  t.strictSame(running.messages(), [{ said: { hello: 'app' } }])
})

t.test('a killed app is gone at once, breaks its connections, and starts again on its port', async (t) => {
  const running = await runApp(t, app)
  const { url, pid, port } = running
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {})
  const broken = new Promise((resolve) => { socket.once('close', resolve) })

  await running.kill()

  t.equal(await running.ended, 'SIGKILL')
  t.notOk(isAlive(pid))
  await broken
  await t.rejects(fetch(url), { cause: { code: 'ECONNREFUSED' } })

  await running.restart()
  t.equal(running.url, url)
  t.not(running.pid, pid)
  t.match(await whoAnswers(url), { pid: running.pid })
})

t.test('a frozen app keeps its connections and answers when it is thawed', async (t) => {
  const running = await runApp(t, app)
  running.pause()
  const answer = whoAnswers(running.url)
  t.equal(await Promise.race([answer, delay(100, 'silence')]), 'silence')
  running.resume()
  t.match(await answer, { pid: running.pid })
})

t.test('a frozen app can be stopped', async (t) => {
  const running = await runApp(t, app)
  running.pause()
  await running.stop()
  t.equal(await running.ended, 'SIGTERM')
})

t.test('an app that does not start is an error with what it wrote', async (t) => {
  await t.rejects(runApp(t, app, { env: { COLOUR: 'broken' } }), { message: /ended with 1 before it listened:.*it does not start/s })
})

t.test('no app outlives its test', async (t) => {
  let pid = 0
  await t.test('a test', async (t) => {
    pid = (await runApp(t, app)).pid
  })
  t.not(pid, 0)
  t.notOk(isAlive(pid))
})

t.test('no app outlives a test that was killed, not even one whose event loop is blocked', async (t) => {
  const owner = await runApp(t, fixture('./fixtures/owner.ts', import.meta.url))
  const [{ pid }] = owner.messages() as [{ pid: number }]
  t.ok(isAlive(pid))
  await owner.kill()
  await t.resolves(eventually(() => !isAlive(pid)))
})
