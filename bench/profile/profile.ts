import { readFile, writeFile } from 'node:fs/promises'
import { load } from '../load.js'
import { ask } from '../questions.js'
import { callTree, type CpuProfile, type Frame } from './cpu-profile.js'
import { layOut } from './flame-layout.js'
import { flamePage } from './flame-page.js'
import type { Place } from './place.js'
import { drive, main, progress, ROOT, withExample, type Profiled } from './profiled-run.js'
import type { Busy, SamplerQuestion } from './sampler.js'
import { summarise } from './self-time.js'
import { SourcePlaces } from './source-places.js'
import { summaryText } from './summary-text.js'

/** Microseconds between two samples. */
const INTERVAL = 500

/**
 * Seconds of load before it counts, by when the caches are filled and the code is optimised, and of load under which it is seen
 * how busy the app is. Neither is longer than the profile itself: who asks for a short one only wants to see that it works.
 */
const LEAD = 2

await main('profile', async (run) => {
  await withExample([], run.route, async ({ child }, url) => {
    const file = `${run.output}.cpuprofile`
    const lead = { url, connections: run.connections, seconds: Math.min(LEAD, run.seconds) }
    const question = async <Answer> (asked: SamplerQuestion): Promise<Answer> => await ask(child, asked)

    progress('Warming up…')
    await load(lead)

    // Not while it is profiled: each sample wakes a process that waits, whose event loop then looks busy.
    progress('Watching the event loop…')
    await question({ what: 'watch' })
    await load(lead)
    const busy = await question<Busy>({ what: 'watched' })

    await question({ what: 'profile', interval: INTERVAL })
    const { requests, seconds } = await drive(url, run)
    await question({ what: 'profiled', file })

    await tell(run, file, `${requests} requests in ${seconds.toFixed(1)} s`, busy)
  })
})

async function tell (run: Profiled, file: string, driven: string, busy: Busy): Promise<void> {
  progress('Reading the profile…')
  const root = callTree(JSON.parse(await readFile(file, 'utf8')) as CpuProfile)
  const places = new SourcePlaces(ROOT)
  const known = new Map<string, Place>()
  const placeOf = (frame: Frame): Place => {
    const key = `${frame.name} ${frame.url} ${frame.line} ${frame.column}`
    const place = known.get(key) ?? places.of(frame)
    known.set(key, place)
    return place
  }
  const title = `GET ${run.route}, ${driven}`
  const page = `${run.output}.html`
  await writeFile(page, flamePage(title, layOut(root, placeOf)))
  process.stdout.write(`${title}\n\n${summaryText(summarise(root, placeOf), busy)}\n\nprofile:     ${file}\nflame graph: ${page}\n`)
}
