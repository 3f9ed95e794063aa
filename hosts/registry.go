package hosts

import (
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts/policy"
)

// What netsh ipsec dynamic set config writes into the registry is read when the
// computer next starts (TechNet cc756041 of NoDefaultExempt, cc783039 of the startup
// mode); until then the driver works by what it has read.

// SetExemptions changes what passes before all filters, from the next start of the host on.
func (h *Host) SetExemptions(e policy.Exemptions) {
	h.onBoot(func(c *Config) {
		e.InboundGroups = c.Options.Exempt.InboundGroups // no entry of the registry
		c.Options.Exempt = e
	})
}

// SetBootMode changes how the driver filters without an agent, from the next start on.
func (h *Host) SetBootMode(m esp.StartupMode) { h.onBoot(func(c *Config) { c.Boot.Mode = m }) }

// SetBootExemptions changes what passes then, from the next start on.
func (h *Host) SetBootExemptions(all []esp.BootExemption) {
	h.onBoot(func(c *Config) { c.Boot.Exempt = all })
}

// SetLogInterval changes how often the driver writes to the System log, from the next
// start on. That it waits for that, as the others do, is unconfirmed.
func (h *Host) SetLogInterval(d time.Duration) {
	h.onBoot(func(c *Config) { c.DriverLogInterval = d })
}

// onBoot keeps a change of the settings for the next start.
func (h *Host) onBoot(change func(*Config)) { h.registry = append(h.registry, change) }

// readRegistry makes the changes that have been kept.
func (h *Host) readRegistry() {
	for _, change := range h.registry {
		change(&h.config)
	}
	h.registry = nil
}
