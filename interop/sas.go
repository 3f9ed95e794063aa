package interop

import (
	"github.com/ipseclab/ipseclab/scenarios"
)

// explained adds to the SAs of a kernel what the daemon tells of them: what they are for, and
// which belong together. SAs that the daemon does not know stay as they are; those that the kernel
// does not have are left out.
func explained(kernel, daemon []scenarios.PeerSA) []scenarios.PeerSA {
	type key struct {
		direction string
		protocol  string
		spi       uint32
	}
	told := map[key]scenarios.PeerSA{}
	for _, d := range daemon {
		told[key{d.Direction, d.Protocol, d.SPI}] = d
	}
	for i := range kernel {
		k := &kernel[i]
		d, ok := told[key{k.Direction, k.Protocol, k.SPI}]
		if !ok {
			continue
		}
		k.Selector, k.Rule, k.Initiator, k.PeerSPI = d.Selector, d.Rule, d.Initiator, d.PeerSPI
	}
	return kernel
}
