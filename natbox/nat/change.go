package nat

import (
	"net/netip"
	"time"
)

// Reboot forgets all that was learnt from packets.
func (t *Table) Reboot(now time.Duration) {
	t.enter(now)
	for t.mappingAge.head != 0 {
		t.endMapping(t.mappingAge.head, Dropped, t.now)
	}
}

// SetAddresses changes the outside addresses.
func (t *Table) SetAddresses(now time.Duration, addrs []netip.Addr) error {
	c := t.cfg.Config
	c.Outside = addrs
	if err := c.Check(); err != nil {
		return err
	}
	t.Reboot(now)
	t.cfg.Outside = addrs
	t.turn = 0
	t.setPools(addrs)
	return nil
}
