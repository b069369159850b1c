/* buserror.h - SIGBUS: a mapped file that ends before the bytes that are touched, or a disk that does not give them.
 *
 * Weights that are loaded or streamed are read with errors (formats/filereader.h); a pack that is used where it is mapped is memory to whoever
 * reads it, and the system knows no other way to say that it is gone. The process ends, with exit status 1 and a line that names the file.
 */
#ifndef ITH_CLI_BUSERROR_H
#define ITH_CLI_BUSERROR_H

void ith_buserror_install(int rank, int size); /* the line names the rank if there are several */

#endif
