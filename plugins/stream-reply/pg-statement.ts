import { StatementError } from './errors.js'
import { Called, type Connection, type Submittable } from './pg-protocol.js'

/** Of what a statement returns. */
export interface Column {
  readonly name: string
  /** The OID of its type. */
  readonly type: number
}

/**
 * Has the database parse a statement alone, without running it, and tell what it would return. By the extended protocol, which
 * takes one statement at a time (PostgreSQL documentation, "Message Flow: Extended Query").
 */
export class DescribedStatement extends Called implements Submittable {
  readonly #text: string
  readonly #settle: (error: Error | undefined, columns: Column[]) => void
  #columns: Column[] | undefined

  constructor (text: string, settle: (error: Error | undefined, columns: Column[]) => void) {
    super()
    this.#text = text
    this.#settle = settle
  }

  submit (connection: Connection): void {
    connection.parse({ text: this.#text })
    connection.describe({ type: 'S', name: '' })
    connection.sync()
  }

  handleRowDescription ({ fields }: { fields: Array<{ name: string, dataTypeID: number }> }): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))
  }

  handleError (error: Error): void {
    this.callback()
    this.#settle(error, [])
  }

  handleReadyForQuery (): void {
    this.callback()
    if (this.#columns === undefined) this.#settle(new StatementError('it returns no rows'), [])
    else this.#settle(undefined, this.#columns)
  }
}
