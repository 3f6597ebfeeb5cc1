import { parseArgs } from 'node:util'
import { compare, CONTROL_LIMIT } from './comparison.js'
import { controlled } from './controlled.js'
import { chosenNames, loadEntry, UnknownEntryError } from './entries.js'
import type { Entry } from './entry.js'
import { FAILED, REJECTED, WRONG_CALL } from './exit-status.js'
import { judge } from './expectations.js'
import { measureMicro } from './measure-micro.js'
import { measureServer } from './measure-server.js'
import { progressTo } from './progress.js'
import { machine, report, type Machine, type Result } from './report.js'
import { FULL, QUICK, type Settings } from './settings.js'

const USAGE = `npm run bench [-- <name>…] [--quick] [--json]

  <name>    of a file in bench/entries; default: all of them
  --quick   a few seconds, to see that it works; judges nothing
  --json    for machines
`

const { progress, done } = progressTo(process.stderr)

try {
  const { values: { quick, json, help }, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
  })
  if (help) say(USAGE)
  else await main(await chosenNames(positionals), quick === true, json === true)
} catch (error) {
  done()
  const wrongCall = error instanceof UnknownEntryError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
  process.stderr.write(wrongCall ? `${(error as Error).message}\n\n${USAGE}` : `${(error as Error).stack}\n`)
  process.exitCode = wrongCall ? WRONG_CALL : FAILED
}

async function main (names: string[], quick: boolean, json: boolean): Promise<void> {
  const settings = quick ? QUICK : FULL
  // Now, because later the load is the bench's own.
  const measuredOn = machine()
  const results: Result[] = []
  const rejected: string[] = []
  if (!json) say(headline(measuredOn, quick))
  for (const name of names) {
    const measure = async (): Promise<Result> => await resultOf(name, await loadEntry(name), settings)
    const result = settings.judged ? await controlled(settings.attempts, measure, warn) : await measure()
    done()
    if (result === undefined) {
      rejected.push(name)
      continue
    }
    results.push(result)
    if (!json) say(report(result))
  }
  if (json) say(JSON.stringify({ machine: measuredOn, quick, results, rejected }, undefined, 2))
  if (rejected.length > 0) process.exitCode = REJECTED
  else if (results.some(({ verdicts }) => verdicts.some(({ met }) => !met))) process.exitCode = FAILED
}

async function resultOf (name: string, entry: Entry, settings: Settings): Promise<Result> {
  const { title, kind, baseline } = entry
  const rounds = kind === 'micro'
    ? await measureMicro(name, entry, { ...settings.micro, ...(settings.judged ? entry.pace : {}) }, progress)
    : await measureServer(name, entry, settings.server, progress)
  return { name, title, kind, comparison: compare(rounds, baseline), verdicts: judge(rounds, settings.judged ? entry.expectations : []) }
}

function warn ({ name, comparison }: Result, attempt: number): void {
  done()
  const percent = (share: number): string => `${(share * 100).toFixed(0)}%`
  process.stderr.write(`${name}: attempt ${attempt} rejected: the control, the baseline measured twice, may be off by ` +
    `${percent(comparison.controlOff)}, allowed are ${percent(CONTROL_LIMIT)}. Something else keeps this machine busy.\n`)
}

function headline ({ node, cpu, cores, load }: Machine, quick: boolean): string {
  return `Node ${node}, ${cores} cores of ${cpu}, load ${load}${quick ? '\nQuick: the figures mean nothing.' : ''}\n`
}

function say (text: string): void {
  process.stdout.write(`${text}\n`)
}
