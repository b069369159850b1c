/* buserror.h - SIGBUS: a mapped file has become shorter, or its disk fails.
 *
 * Weights that are loaded or streamed are read by calls that return errors (formats/filereader.h).
 * A pack is mapped and read as memory, and so are parts of quantized folders. There this signal is
 * the only way in which the system reports a failure. The process ends with exit status 1 and a
 * line that names the file.
 */
#ifndef ITH_CLI_BUSERROR_H
#define ITH_CLI_BUSERROR_H

void ith_buserror_install(int rank, int size); /* the line names the rank if there are several */

#endif
