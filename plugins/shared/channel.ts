import { channel } from 'node:diagnostics_channel'

export interface Channel<Payload> {
  /** @param payload made only when somebody listens */
  publish (payload: () => Payload): void
  /** Whether anybody listens: for what has to be found out first. */
  readonly isHeard: boolean
}

/** One of the channels of docs/channels.md, `headroom:<technique>:<event>`. Costs a property read when nobody listens. */
export function defineChannel<Payload> (name: `headroom:${string}:${string}`): Channel<Payload> {
  const own = channel(name)
  return {
    publish (payload) {
      if (own.hasSubscribers) own.publish(payload())
    },
    get isHeard () { return own.hasSubscribers }
  }
}
