import { getEventListeners } from 'node:events'
import t from 'tap'
import { entryOf, uncopied, type Entry } from '../../plugins/shared/entry.js'
import { Fences } from '../../plugins/cache/fences.js'
import { AGAIN, Flight, type FlightRules, type Patience } from '../../plugins/cache/flight.js'
import { Kept } from '../../plugins/cache/kept.js'
import { LoadRun } from '../../plugins/cache/load-run.js'
import { stayAwake } from './awake.js'

stayAwake(t)

const now = 1_000
const patience: Patience = { stale: 0, staleOnError: 0, softTimeout: undefined, hardTimeout: 60_000, signal: undefined }

function build ({ run = new LoadRun(['a']), began = 10, ...rules }: Partial<FlightRules> & { run?: LoadRun, began?: number } = {}): { flight: Flight, offered: Kept[] } {
  const offered: Kept[] = []
  const flight = new Flight(run, new Fences().open('a', 'read'), [], began, {
    maxWaiters: 100,
    acceptable: ({ freshUntil }, _fence, over) => now - freshUntil < over,
    onOffered: (kept) => { offered.push(kept) },
    ...rules
  })
  return { flight, offered }
}

function kept (value: unknown, freshUntil: number): Kept {
  return new Kept(entry(value), { freshUntil, keptUntil: now + 1_000, loadTime: 0, tags: [] })
}

function entry (value: unknown): Entry {
  const made = entryOf(value)
  return 'entry' in made ? made.entry : uncopied(value)
}

async function value (outcome: Promise<Entry | typeof AGAIN>): Promise<unknown> {
  const settled = await outcome
  return settled === AGAIN ? AGAIN : settled.value()
}

t.test('all who wait get the value, and who comes after the landing too', async (t) => {
  const { flight } = build()
  const waiting = [flight.outcome(patience, 1), flight.outcome(patience, 2)]
  flight.land(entry('value'))
  t.strictSame(await Promise.all(waiting.map(value)), ['value', 'value'])
  t.equal(await value(flight.outcome(patience, 3)), 'value')
})

t.test('who comes after a failure gets the error', async (t) => {
  const { flight } = build()
  const error = new Error('away')
  flight.fail(error)
  await t.rejects(flight.outcome(patience, 3), error)
})

t.test('of a flight that was overtaken, only who had joined before may have the value', async (t) => {
  const { flight } = build({ began: 10 })
  const waiting = [9, 10, 11].map((joined) => flight.outcome(patience, joined))
  flight.land(entry('old'), true)
  t.strictSame(await Promise.all(waiting.map(value)), ['old', 'old', AGAIN])
  t.equal(await value(flight.outcome(patience, 12)), AGAIN)
})

t.test('who accepts a stale value gets it when it is found, the newest there is, whoever comes first', async (t) => {
  const { flight, offered } = build()
  const stale = { ...patience, stale: 500 }
  const before = flight.outcome(stale, 1)
  const strict = flight.outcome(patience, 1)
  flight.offer(kept('older', now - 400))
  t.equal(await value(before), 'older')
  flight.offer(kept('newer', now - 200))
  flight.offer(kept('older than that', now - 300))
  t.equal(await value(flight.outcome(stale, 1)), 'newer')
  t.equal(flight.candidate?.value.value(), 'newer')
  t.equal(offered.length, 2)
  flight.land(entry('new'))
  t.equal(await value(strict), 'new')
})

t.test('a stale value that is too old for a caller is not offered to it', async (t) => {
  const { flight } = build()
  const caller = flight.outcome({ ...patience, stale: 100 }, 1)
  flight.offer(kept('too old', now - 100))
  const error = new Error('away')
  flight.fail(error)
  await t.rejects(caller, error)
})

t.test('after a failure each gets the stale value if it accepts that, else the error', async (t) => {
  const { flight } = build()
  const error = new Error('away')
  flight.offer(kept('old', now - 50))
  const accepting = flight.outcome({ ...patience, staleOnError: 100 }, 1)
  const refusing = flight.outcome({ ...patience, staleOnError: 50 }, 1)
  flight.fail(error)
  t.equal(await value(accepting), 'old')
  await t.rejects(refusing, error)
})

t.test('a landing with the stale value sends those who do not accept it to ask again', async (t) => {
  const { flight } = build()
  flight.offer(kept('old', now - 50))
  const waiting = [flight.outcome({ ...patience, staleOnError: 100 }, 1), flight.outcome(patience, 1)]
  flight.landStale()
  t.strictSame(await Promise.all(waiting.map(value)), ['old', AGAIN])
})

t.test('who comes when the run has been aborted asks again when that fails, and shares its value when not', async (t) => {
  for (const [end, expected] of [[(flight: Flight) => { flight.fail(new Error('aborted')) }, AGAIN], [(flight: Flight) => { flight.land(entry('value')) }, 'value']] as const) {
    const { flight } = build()
    const leaving = new AbortController()
    const left = flight.outcome({ ...patience, signal: leaving.signal }, 1)
    leaving.abort(new Error('left'))
    await t.rejects(left, { message: 'left' })
    const late = flight.outcome(patience, 2)
    end(flight)
    t.equal(await value(late), expected)
  }
})

t.test('patience counts from the joining, and only while the load is under way', async (t) => {
  const { flight } = build()
  const early = flight.outcome({ ...patience, hardTimeout: 5 }, 1)
  const rejected = t.rejects(early, { code: 'FST_HEADROOM_CACHE_TIMEOUT' })
  flight.loading()
  await rejected
  const soft = flight.outcome({ ...patience, softTimeout: 5, staleOnError: 100 }, 1)
  flight.offer(kept('old', now - 50))
  t.equal(await value(soft), 'old')
})

t.test('whatever ends the wait, no listener is left on the caller\'s signal', async (t) => {
  const { signal } = new AbortController()
  const own = { ...patience, signal, hardTimeout: 5, maxWaiters: 1 }
  const listeners = (): number => getEventListeners(signal, 'abort').length
  const { flight } = build({ maxWaiters: 1 })
  const first = flight.outcome(own, 1)
  await t.rejects(flight.outcome(own, 1), { code: 'FST_HEADROOM_CACHE_BUSY' })
  const rejected = t.rejects(first, { code: 'FST_HEADROOM_CACHE_TIMEOUT' })
  flight.loading()
  await rejected
  t.equal(listeners(), 0)
  await flight.run.run(() => t.rejects(flight.outcome(own, 1), { code: 'FST_HEADROOM_CACHE_REENTRY' }))
  t.equal(listeners(), 0)
  flight.land(entry(1))
  await flight.outcome(own, 1)
  t.equal(listeners(), 0)
})
