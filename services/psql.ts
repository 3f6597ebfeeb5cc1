import { findProgram, type Program } from './find-program.js'

/** Postgres' own client. Throws one line that says what to do when there is none to be had. */
export async function findPsql (onProgress?: (line: string) => void): Promise<Program> {
  return await findProgram({
    name: 'psql',
    variable: 'PSQL',
    packages: ['postgresql-client-15'],
    path: 'usr/lib/postgresql/15/bin/psql',
    folder: 'psql',
    version: '--version',
    remedy: 'install the package postgresql-client (or put one on PATH), or set PSQL to its path'
  }, onProgress)
}
