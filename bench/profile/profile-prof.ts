import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { drive, main, progress, ROOT, withExample } from './profiled-run.js'
import { processedSummary } from './processed-summary.js'

const run = promisify(execFile)

await main('profile:prof', async (asked) => {
  const log = `${asked.output}.log`
  let answered = ''
  // V8 writes from the first line on, so there is no warm-up to leave out: the longer the load, the less the start shows.
  await withExample(['--prof', '--no-logfile-per-isolate', `--logfile=${log}`], asked.route, async (_example, url) => {
    const { requests, seconds } = await drive(url, asked)
    answered = `${requests} requests in ${seconds.toFixed(1)} s`
  }).catch(async (error: unknown) => {
    // V8 has written it all the same, and who looks into the folder would take it for a profile.
    await rm(log, { force: true })
    throw error
  })
  progress('Processing the log…')
  const { stdout } = await run(process.execPath, ['--prof-process', log], { maxBuffer: 2 ** 28 })
  const processed = `${asked.output}.txt`
  await writeFile(processed, stdout)
  process.stdout.write(`GET ${asked.route}, ${answered}\n\n${processedSummary(stdout, ROOT)}\n\nwith the call tree: ${processed}\nlog:                ${log}\n`)
})
