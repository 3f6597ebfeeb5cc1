import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { CpuProfile } from '../../bench/profile/cpu-profile.js'
import type { Busy, SamplerQuestion } from '../../bench/profile/sampler.js'
import { ask } from '../../bench/questions.js'
import { fixture as fixtureOf } from '../helpers/project.js'

const fixture = fileURLToPath(fixtureOf('./fixtures/waiting.ts', import.meta.url))
const sampler = fixtureOf('../../bench/profile/sampler.ts', import.meta.url).href

t.test('a process that waits is not called busy, and can be profiled afterwards', async (t) => {
  const child = fork(fixture, { execArgv: [...process.execArgv, '--import', sampler] })
  t.teardown(() => child.kill('SIGKILL'))
  const question = async <Answer> (asked: SamplerQuestion): Promise<Answer> => await ask(child, asked)
  // How a process spends its time is the subject, so some time must pass.
  await question({ what: 'watch' })
  await delay(500)
  const { cpu, eventLoop, delayP99 } = await question<Busy>({ what: 'watched' })
  t.ok(cpu < 0.5, `CPU ${cpu}`)
  t.ok(eventLoop < 0.5, `event loop ${eventLoop}`)
  t.ok(delayP99 >= 0)

  const file = join(t.testdir(), 'waiting.cpuprofile')
  await question({ what: 'profile', interval: 500 })
  await delay(100)
  await question({ what: 'profiled', file })
  t.ok((JSON.parse(readFileSync(file, 'utf8')) as CpuProfile).samples!.length > 0)
})
