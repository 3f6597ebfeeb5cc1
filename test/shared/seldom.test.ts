import t from 'tap'
import { Seldom } from '../../plugins/shared/seldom.js'

t.test('each kind of trouble is said once an interval', async (t) => {
  const clock = { now: 0 }
  const seldom = new Seldom(10_000, () => clock.now)
  const said: string[] = []
  const happens = (kind: string): void => { seldom.say(kind, () => { said.push(kind) }) }
  for (const now of [0, 1, 9_999]) {
    clock.now = now
    happens('a')
    happens('b')
  }
  t.strictSame(said, ['a', 'b'])
  clock.now = 10_000
  happens('a')
  t.strictSame(said, ['a', 'b', 'a'])
})

t.test('many kinds of it have the one that is said all the time said no more often', async (t) => {
  const clock = { now: 0 }
  const seldom = new Seldom(10_000, () => clock.now)
  let said = 0
  const happens = (): void => { seldom.say('a', () => { said++ }) }
  for (let kind = 0; kind < 99; kind++) seldom.say(`kind ${kind}`, () => {})
  happens()
  for (let again = 0; again < 1_000; again++) {
    seldom.say(`kind ${again % 99}`, () => {})
    happens()
  }
  t.equal(said, 1)
})
