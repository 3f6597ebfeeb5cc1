import { readFile, writeFile } from 'node:fs/promises'
import { ask } from '../questions.js'
import { callTree, type CpuProfile, type Frame } from './cpu-profile.js'
import { layOut } from './flame-layout.js'
import { flamePage } from './flame-page.js'
import type { Place } from './place.js'
import { drive, main, progress, warmUp, withExample, type Profiled } from './profiled-run.js'
import type { EventLoop, SamplerQuestion } from './sampler.js'
import { summarise } from './self-time.js'
import { SourcePlaces } from './source-places.js'
import { summaryText } from './summary-text.js'

/** Microseconds between two samples. */
const INTERVAL = 500

const ROOT = new URL('../../../', import.meta.url)

await main('profile', async (run) => {
  await withExample([], run.route, async ({ child }, url) => {
    const file = `${run.output}.cpuprofile`
    const question = async <Answer> (asked: SamplerQuestion): Promise<Answer> => await ask(child, asked)

    await warmUp(url, run.connections)
    await question({ start: { interval: INTERVAL } })
    const { requests, seconds } = await drive(url, run)
    const eventLoop = await question<EventLoop>({ stop: { file } })

    await tell(run, file, `${requests} requests in ${seconds.toFixed(1)} s`, eventLoop)
  })
})

async function tell (run: Profiled, file: string, load: string, eventLoop: EventLoop): Promise<void> {
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
  const title = `GET ${run.route}, ${load}`
  const page = `${run.output}.html`
  await writeFile(page, flamePage(title, layOut(root, placeOf)))
  process.stdout.write(`${title}\n\n${summaryText(summarise(root, placeOf), eventLoop)}\n\nprofile:     ${file}\nflame graph: ${page}\n`)
}
