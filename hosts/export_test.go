package hosts

import "github.com/ipseclab/ipseclab/internal/ipsec"

// AddSAs puts SAs into the data plane by hand.
func (h *Host) AddSAs(sas ...ipsec.SAParams) error {
	h.driver.mu.Lock()
	defer h.driver.mu.Unlock()
	return h.driver.esp.Add(h.world.Time(), sas...)
}
