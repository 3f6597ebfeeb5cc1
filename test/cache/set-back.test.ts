import t from 'tap'
import { SetBack } from '../../plugins/cache/set-back.js'
import { eventually } from '../helpers/eventually.js'
import { stayAwake } from './awake.js'
import { buildApp } from './build-app.js'

stayAwake(t)

function build () {
  const clocks = { wall: 1_000_000, elapsed: 5 }
  let noticed = 0
  const watch = new SetBack({ now: () => clocks.wall, monotonicNow: () => clocks.elapsed, onSetBack: () => { noticed++ } })
  t.teardown(() => { watch.close() })
  return {
    /** Lets so much time pass, in which the wall clock goes on by so much; whether it has been found to be set back. */
    pass (elapsed: number, wall = elapsed): boolean {
      const before = noticed
      clocks.elapsed += elapsed
      clocks.wall += wall
      watch.look()
      return noticed > before
    }
  }
}

t.test('a wall clock that goes on, or is set forward, is not set back', async (t) => {
  const { pass } = build()
  for (const [elapsed, wall] of [[0, 0], [500, 500], [500, 501], [500, 499], [60_000, 60_000], [500, 3_600_000], [500, 500]] as const) t.equal(pass(elapsed, wall), false)
})

t.test('that a wall clock is set back is noticed once each time, also when it had been set forward before', async (t) => {
  const { pass } = build()
  t.equal(pass(500, -3_600_000), true)
  t.equal(pass(500), false)
  t.equal(pass(500, 3_600_000), false)
  t.equal(pass(500), false)
  t.equal(pass(500, -1_000), true)
  t.equal(pass(500), false)
})

t.test('that it is set back while much time passes is noticed too', async (t) => {
  t.equal(build().pass(3_600_000, 3_000_000), true)
})

t.test('small steps back add up', async (t) => {
  const { pass } = build()
  t.strictSame([pass(500, 400), pass(500, 400), pass(500, 400)], [false, false, true])
})

t.test('when its wall clock is set back a cache forgets its memory within a second: nothing there is fresh for longer than its ttl', async (t) => {
  let elapsed = 0
  const { cache, clock } = await buildApp(t, { redis: false, monotonicNow: () => elapsed })
  await cache.set('a', 'old', { ttl: '1s' })
  clock.milliseconds -= 60 * 60 * 1_000
  await t.resolves(eventually(() => cache.stats().entries === 0, 1_000))
  elapsed += 1_000
  clock.milliseconds += 1_000
  t.equal(await cache.getOrSet('a', () => 'new'), 'new')
})
