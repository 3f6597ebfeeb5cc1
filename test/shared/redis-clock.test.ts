import t from 'tap'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { RedisClock } from '../../plugins/shared/redis-clock.js'
import { gate } from '../helpers/gate.js'

t.test('those who want to know the time of a server at once ask it once, and again where no answer comes', async (t) => {
  let now = 0
  const answers = gate<[string, string]>()
  const clock = new RedisClock({ time: answers.pass } as unknown as RedisClient, () => now)
  const first = [clock.in(100, 'a'), clock.in(100, 'b')]
  t.equal(answers.arrivals, 1)
  now = 1_000
  const second = clock.in(100, 'a')
  t.equal(answers.arrivals, 2)
  answers.open(['5', '1000'])
  t.strictSame(await Promise.all([...first, second]), [4_101, 4_101, 5_101])
  now = 2_000
  t.equal(await clock.in(100, 'a'), 6_101)
  t.equal(answers.arrivals, 2)
  clock.forget()
  await clock.in(100, 'a')
  clock.forget()
  await clock.in(100, 'a')
  t.equal(answers.arrivals, 4, 'and what is forgotten is asked for anew, however soon')
})

t.test('that a server could not be asked is no answer to who asks later', async (t) => {
  let fails = true
  const time = async (): Promise<[number, number]> => { if (fails) throw new Error('away'); return [5, 0] }
  let now = 0
  const clock = new RedisClock({ time } as unknown as RedisClient, () => now)
  await t.rejects(clock.in(100, 'a'), { message: 'away' })
  fails = false
  now = 100
  t.equal(await clock.in(0, 'a'), 5_000)
})

t.test('the time of a server is known to within its answer, and less well the longer ago that was', async (t) => {
  let now = 0
  const time = async (): Promise<[number, number]> => { now += 10; return [5, 0] }
  const clock = new RedisClock({ time } as unknown as RedisClient, () => now)
  t.equal(clock.bounds(), undefined)
  await clock.in(0, 'a')
  t.strictSame(clock.bounds(), { earliest: 5_000, latest: 5_010 })
  now += 1_000_000
  t.strictSame(clock.bounds(), { earliest: 1_004_500, latest: 1_005_510 })
  clock.forget()
  t.equal(clock.bounds(), undefined)
})
