package hosts

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Boot settles how the IPsec driver of a host filters while no policy agent runs.
// The driver is there before the first packet; the agent, a service, comes later,
// and between the two the policy is not in force (C058).
type Boot struct {
	// Mode is the startup mode; 0 is the default of Windows Server 2003: stateful
	// if a policy is assigned, else permit (TechNet cc783039).
	Mode   esp.StartupMode
	Exempt []esp.BootExemption

	// Delay is how long the agent starts after the driver. No source has a figure. 0:
	// at the same moment, so that there is no gap.
	Delay time.Duration

	// PersistentLate has the agent put the persistent policy into the driver, as TechNet
	// cc783039 says in passing, so that it does not close the gap; otherwise it is in
	// force from the start of the driver on, as the white paper promises (C059).
	PersistentLate bool

	// Stopped is what the driver does when the agent has been stopped.
	Stopped Stopped
}

// Stopped is what a driver does without its policy agent (C048). No source that can
// be cited says what Windows does, hence the choice.
type Stopped uint8

// What a driver does when its policy agent has been stopped.
const (
	StoppedPermit  Stopped = iota // all filters are gone, those of the persistent policy too: everything passes
	StoppedFilters                // the filters stay: permit and block go on, and nobody negotiates
	StoppedBoot                   // the driver filters as it did before the agent started
)

// startMode puts the driver into its startup mode, until the agent makes it operational.
func (h *Host) startMode(why string) error {
	a, b := h.agent, h.config.Boot
	mode := b.Mode
	if mode == 0 {
		mode = esp.StartupPermit
		if h.store.Assigned(Persistent) != nil || h.store.Assigned(Local) != nil || h.store.Assigned(Cache) != nil {
			mode = esp.StartupStateful
		}
	}
	h.driver.esp.SetStartup(&esp.Startup{Mode: mode, Exempt: b.Exempt, BypassIPv6: a.options.BypassIPv6})
	h.record(trace.DriverMode{Mode: esp.BootPrefix + mode.String(), Detail: why})
	h.logMode(mode.String())
	early := assigned{persistent: h.store.Assigned(Persistent)}
	if early.persistent == nil || b.PersistentLate {
		return a.put(assigned{})
	}
	return a.put(early)
}

// operational ends the startup mode, or what else the driver did without an agent.
func (h *Host) operational() {
	if h.config.Boot.Delay <= 0 && h.agent.starts == 1 {
		return // it was never in another mode
	}
	h.driver.esp.SetStartup(nil)
	h.record(trace.DriverMode{Mode: "operational"})
	h.logMode("operational")
}

// startAgent starts the agent after its delay, and until then the driver filters by
// its startup mode.
func (h *Host) startAgent() error {
	if h.config.Boot.Delay <= 0 {
		return h.agent.start()
	}
	if err := h.startMode(fmt.Sprintf("the policy agent starts %v after the driver", h.config.Boot.Delay)); err != nil {
		return err
	}
	h.agent.booting = true
	h.after(h.config.Boot.Delay, func() {
		if !h.agent.booting {
			return // somebody has started it, or stopped it
		}
		h.record(trace.AgentState{State: agentStarted})
		// The policies were compiled when they were assigned, so that they compile now.
		if err := h.agent.start(); err != nil {
			h.record(trace.AgentState{State: agentStopped, Detail: err.Error()})
		}
	})
	return nil
}
