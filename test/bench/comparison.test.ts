import t from 'tap'
import { compare, CONTROL, CONTROL_LIMIT, ratio } from '../../bench/comparison.js'
import type { Sample } from '../../bench/sample.js'

const samples = (...perSecond: number[]): Sample[] => perSecond.map((perSecond) => ({ perSecond, cpu: 10 }))

t.test('what slows a whole round drops out of the ratio', (t) => {
  // In the second round the machine was busy, and both took ten times as long.
  const rounds = new Map([['off', samples(1_000, 100, 1_000)], ['on', samples(500, 50, 500)]])
  t.strictSame(ratio(rounds, 'on', 'off', 'perSecond'), { low: 0.5, median: 0.5, high: 0.5, error: 0 })
  t.end()
})

t.test('a row has the medians, the ratios to the baseline, and latency where there was one', (t) => {
  const latency = { p50: 1, p99: 9 }
  const served = (...figures: number[]): Sample[] => samples(...figures).map((sample) => ({ ...sample, latency }))
  const { rows } = compare(new Map([['off', served(10, 30, 20)], [CONTROL, samples(10, 30, 20)]]), 'off')
  const same = { low: 1, median: 1, high: 1, error: 0 }
  t.strictSame(rows, [
    { variant: 'off', perSecond: 20, cpu: 10, latency, ratio: { perSecond: same, cpu: same } },
    { variant: CONTROL, perSecond: 20, cpu: 10, ratio: { perSecond: same, cpu: same } }
  ])
  t.end()
})

t.test('the control is off when it is faster, when it is slower, and when it takes another CPU time', (t) => {
  const off = (control: Sample[]): number => compare(new Map([['off', samples(100)], [CONTROL, control]]), 'off').controlOff
  t.equal(off(samples(100)), 0)
  t.ok(Math.abs(off(samples(125)) - 0.25) < 1e-9)
  t.ok(Math.abs(off(samples(80)) - 0.25) < 1e-9)
  t.ok(Math.abs(off([{ perSecond: 100, cpu: 12 }]) - 0.2) < 1e-9)
  t.ok(off(samples(95)) < CONTROL_LIMIT)
  t.end()
})

t.test('a control that is right only by chance is off', (t) => {
  const control = samples(40, 180, 100, 30, 190, 100, 50, 170)
  const { rows, controlOff } = compare(new Map([['off', control.map(() => ({ perSecond: 100, cpu: 10 }))], [CONTROL, control]]), 'off')
  t.equal(rows[1]!.ratio.perSecond.median, 1)
  t.ok(controlOff > CONTROL_LIMIT)
  t.end()
})
