/** What can happen to one key: its load starts and ends, and all that voids what is kept of it. */
export const MUTATIONS = ['delete', 'set', 'invalidate', 'clear'] as const
export type Mutation = typeof MUTATIONS[number]
export type Event = 'start' | 'end' | 'ask' | Mutation

/** Every order of the load's start, its end, and so many of the mutations, in which it starts before it ends. */
export function eventOrders (mutations: number, more: readonly Event[] = []): Event[][] {
  return subsets(MUTATIONS, mutations)
    .flatMap((chosen) => permutations<Event>(['start', 'end', ...chosen, ...more]))
    .filter((order) => order.indexOf('start') < order.indexOf('end'))
}

/**
 * One of so many shares of the orders: those with at least so many mutations are shared out, and as many turns as there are shares
 * have each of them once. The shorter ones are in every share.
 */
export function shareOf (orders: readonly Event[][], { turn, shares, longer }: { turn: number, shares: number, longer: number }): Event[][] {
  return orders.filter((order, index) => order.filter(isMutation).length < longer || index % shares === turn % shares)
}

export function isMutation (event: Event): event is Mutation {
  return (MUTATIONS as readonly Event[]).includes(event)
}

export type Value = 'loaded' | 'set'

/** What is kept of the key in the end, `undefined` when nothing is. @param setIsTagged whether the set names the tag that is invalidated */
export function keptAfter (order: readonly Event[], setIsTagged: boolean): Value | undefined {
  let kept: Value | undefined
  let loading = false
  for (const event of order) {
    if (event === 'start') loading = kept === undefined
    else if (event === 'end') {
      if (loading) kept = 'loaded'
    } else if (event !== 'ask') {
      loading = false
      if (event === 'set') kept = 'set'
      else if (event !== 'invalidate' || kept === 'loaded' || setIsTagged) kept = undefined
    }
  }
  return kept
}

function subsets<T> (items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((first, index) => subsets(items.slice(index + 1), size - 1).map((rest) => [first, ...rest]))
}

function permutations<T> (items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((first, index) => permutations(items.toSpliced(index, 1)).map((rest) => [first, ...rest]))
}
