import { parseArgs } from 'node:util'

export interface ProfileArguments {
  /** Path and query, such as `/api/users/7`. */
  route: string
  /** Of load. */
  seconds: number
  connections: number
}

export class CommandLineError extends Error {}

/**
 * @returns `undefined` when help is asked for
 * @throws CommandLineError with one line that says what was expected and what arrived
 */
export function profileArguments (args: readonly string[]): ProfileArguments | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  const [route, ...more] = positionals
  if (route === undefined || more.length > 0) throw new CommandLineError(`expected one route, such as /api/users/7, got ${positionals.length}`)
  if (!route.startsWith('/')) throw new CommandLineError(`expected a route that begins with a slash, got ${JSON.stringify(route)}`)
  return {
    route,
    seconds: atLeastOne('--seconds', values.seconds),
    connections: atLeastOne('--connections', values.connections)
  }
}

function parse (args: readonly string[]): { values: { seconds: string, connections: string, help: boolean }, positionals: string[] } {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '10' },
        connections: { type: 'string', default: '20' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    })
  } catch (error) {
    throw new CommandLineError((error as Error).message, { cause: error })
  }
}

function atLeastOne (option: string, given: string): number {
  const count = Number(given)
  if (Number.isInteger(count) && count >= 1) return count
  throw new CommandLineError(`${option}: expected a whole number from 1, got ${JSON.stringify(given)}`)
}
