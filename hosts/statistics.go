package hosts

import (
	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Statistics of a host begin anew when it is restarted, and those of IKE when the
// policy agent is, as those of Windows do with the IPsec service (TechNet cc737334).

// Counters are the driver's statistics.
func (h *Host) Counters() esp.Counters { return h.driver.esp.Counters() }

// ChecksumErrors are the TCP segments and UDP datagrams that reached the host's transport
// protocols with a wrong checksum, and ended there.
func (h *Host) ChecksumErrors() uint64 {
	s := h.stack.Stats()
	return s.TCP.ChecksumErrors.Value() + s.UDP.ChecksumErrors.Value()
}

// IKEStatistics are those of IKE: what the engine counts, and what is counted where
// it meets the sockets and the driver.
func (h *Host) IKEStatistics() ike.Statistics {
	s, own := h.keying.mux.Statistics(), h.keying.statistics
	s.ReceiveFailures += own.ReceiveFailures
	s.SendFailures += own.SendFailures
	s.KeyAdditions, s.KeyAdditionFailures = own.KeyAdditions, own.KeyAdditionFailures
	s.KeyUpdates, s.KeyUpdateFailures = own.KeyUpdates, own.KeyUpdateFailures
	s.SoftAssociations = int(h.driver.esp.Counters().SoftAssociations)
	return s
}

// counted notes what became of SAs that were given to the driver.
func (k *keying) counted(sas []ipsec.SAParams, err error) {
	s := &k.statistics
	for _, sa := range sas {
		switch {
		case sa.Direction == ipsec.Outbound && err == nil:
			s.KeyAdditions++
		case sa.Direction == ipsec.Outbound:
			s.KeyAdditionFailures++
		case err == nil:
			s.KeyUpdates++
		default:
			s.KeyUpdateFailures++
		}
	}
}
