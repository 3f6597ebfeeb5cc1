import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { Chunks } from '../../plugins/stream-reply/chunks.js'

const KB = 1_024

/** With what was done to its flow. */
function newChunks (): { chunks: Chunks<string>, done: string[] } {
  const done: string[] = []
  return { chunks: new Chunks({ pause: () => done.push('pause'), resume: () => done.push('resume') }), done }
}

t.test('who brings more than is read is asked to pause, once, and to go on when most of it is read', async (t) => {
  const { chunks, done } = newChunks()
  const piece = 'x'.repeat(64 * KB)
  for (let count = 0; count < 4; count++) chunks.push(piece)
  t.strictSame(done, [], 'as much as may wait')
  chunks.push('x')
  chunks.push('x')
  t.strictSame(done, ['pause'])
  t.notOk(chunks.isLow)
  for (let count = 0; count < 3; count++) await chunks.read()
  t.strictSame(done, ['pause'])
  for (let count = 0; count < 3; count++) await chunks.read()
  t.strictSame(done, ['pause', 'resume'])
  t.ok(chunks.isLow)
  chunks.push('x'.repeat(300 * KB))
  t.strictSame(done, ['pause', 'resume', 'pause'])
  await chunks.read()
  t.strictSame(done, ['pause', 'resume', 'pause', 'resume'])
})

t.test('what somebody waits for does not count as waiting', async (t) => {
  const { chunks, done } = newChunks()
  const read = chunks.read()
  chunks.push('x'.repeat(300 * KB))
  t.equal((await read)?.length, 300 * KB)
  t.strictSame(done, [])
  t.ok(chunks.isLow)
})

t.test('an error comes after what had come before it, and stays', async (t) => {
  const { chunks } = newChunks()
  chunks.push('a')
  chunks.push('b')
  chunks.end(new Error('broken'))
  chunks.push('too late')
  chunks.end()
  t.strictSame([await chunks.read(), await chunks.read()], ['a', 'b'])
  await t.rejects(chunks.read(), { message: 'broken' })
  await t.rejects(chunks.read(), { message: 'broken' })
  t.ok(chunks.isOver)
})

t.test('who waits is told of the end, and of an error', async (t) => {
  const ended = newChunks().chunks
  const end = ended.read()
  ended.end()
  t.equal(await end, undefined)
  t.equal(await ended.read(), undefined)
  const failed = newChunks().chunks
  const failure = failed.read()
  failed.end(new Error('broken'))
  await t.rejects(failure, { message: 'broken' })
})

t.test('what is discarded is gone, nothing is kept any more, and nobody stays paused or waits', async (t) => {
  const { chunks, done } = newChunks()
  chunks.push('x'.repeat(300 * KB))
  chunks.discard()
  t.strictSame(done, ['pause', 'resume'])
  chunks.push('x'.repeat(300 * KB))
  t.strictSame(done, ['pause', 'resume'])
  t.equal(await chunks.read(), undefined)
  const waiting = newChunks().chunks
  const read = waiting.read()
  waiting.discard()
  t.equal(await read, undefined)
  const over = newChunks()
  over.chunks.push('x'.repeat(300 * KB))
  over.chunks.end()
  over.chunks.discard()
  t.strictSame(over.done, ['pause', 'resume'], 'the end of it too lets the flow go on, once')
})

t.test('in whatever order pieces come and are read, they are read in their order, all of them, and a flow is paused only while much waits', async (t) => {
  const size = fc.constantFrom(1, 10, 30_000, 65_536, 200_000, 300_000)
  const step = fc.oneof({ weight: 3, arbitrary: size.map((size) => ({ push: size })) }, { weight: 3, arbitrary: fc.constant('read' as const) }, { weight: 1, arbitrary: fc.constant('turn' as const) })
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, isBroken) => {
    let isPaused = false
    const chunks = new Chunks<Buffer>({
      pause () { assert(!isPaused); isPaused = true },
      resume () { assert(isPaused); isPaused = false }
    })
    const pushed: Buffer[] = []
    const read: Array<Buffer | undefined> = []
    let reading: Promise<void> | undefined
    for (const step of steps) {
      if (step === 'turn') await new Promise(setImmediate)
      else if (step === 'read') {
        // One at a time.
        await Promise.race([reading, new Promise(setImmediate)])
        reading ??= chunks.read().then((chunk) => { read.push(chunk); reading = undefined })
      } else {
        const piece = Buffer.alloc(step.push)
        pushed.push(piece)
        chunks.push(piece)
        await Promise.resolve()
      }
      const waiting = pushed.slice(read.length).reduce((sum, { length }) => sum + length, 0)
      if (waiting <= 65_536) assert(!isPaused)
    }
    chunks.end(isBroken ? new Error('broken') : undefined)
    assert(!isPaused)
    let error: unknown
    try {
      await reading
      while (read.length === 0 || read.at(-1) !== undefined) read.push(await chunks.read())
    } catch (thrown) {
      error = thrown
    }
    assert.equal(error !== undefined, isBroken)
    const pieces = read.filter((chunk) => chunk !== undefined)
    assert(pieces.length === pushed.length && pieces.every((piece, index) => piece === pushed[index]))
  }), { numRuns: 200 })
  t.pass('200 orders')
})
