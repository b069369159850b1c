/* interfaces.h - which network interfaces lead to other machines. */
#ifndef ITH_COMM_INTERFACES_H
#define ITH_COMM_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>

/* Before MPI starts. Open MPI takes two machines for neighbours if both have an address such as
 * docker0's 172.17.0.1/16, connects there, and waits for ever. So it is kept off interfaces that
 * lead to this machine's own containers and virtual machines; not where the user has chosen
 * interfaces, in the environment or in a parameter file of Open MPI's. Sets
 * OMPI_MCA_btl_tcp_if_exclude. */
void ith_interfaces_choose(void);

/* Does an interface lead to no other machine? So do those with the names that Docker, Podman, LXC
 * and libvirt give their bridges, and bridges none of whose ports is hardware, built on hardware
 * (VLAN, bond), or a tunnel. `folder`: where the system describes interfaces, /sys/class/net. */
bool ith_interface_is_internal(const char *folder, const char *name);

/* The interfaces that are up and their IPv4 addresses, for people: "eth0 10.0.0.1, docker0
 * 172.17.0.1". Without the loopback. */
void ith_interfaces_describe(char *text, size_t size);

#endif
