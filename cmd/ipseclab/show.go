package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type showCmd struct {
	What   string  `arg:"" name:"file|name" help:"A scenario file, or a name of the catalogue; behind it /CELL, where there are several."`
	Part   string  `arg:"" optional:"" default:"all" name:"part" help:"mmsas, qmsas (soft ones too), mmfilters, qmfilters, filters, policy, rules, config, stats, discovery, firewall, nat, observers or all."`
	Host   string  `required:"" placeholder:"HOST" help:"The host whose monitor it is, or a router with a firewall, a NAT or observers, or a segment with observers."`
	At     *moment `placeholder:"TIME" help:"Virtual time of the run, as in 10m. None: the end of the run."`
	Type   string  `enum:"generic,specific,both" default:"both" help:"Of filters: generic, specific or both."`
	Seed   uint64  `placeholder:"N" help:"Instead of the scenario's."`
	Format string  `enum:"text,json" default:"text" help:"text or json."`
}

func (showCmd) Help() string {
	return `The scenario is run up to the time, without evidence, and what the IP Security
Monitor of the host would show is printed. Labels are those of Windows as far as they
are known; the layout is ipseclab's own. A time after the last step is fine: the world
goes on.

Example: SAs and soft associations of a client, four minutes into the run

  ipseclab show time_idle_expiry/idle --host client --at 4m qmsas`
}

func (c showCmd) Run(ctx context.Context, s streams) error {
	one, err := single("show", c.What)
	if err != nil {
		return err
	}
	m := scenarios.Moment{Host: c.Host, Seed: c.Seed}
	if c.At != nil {
		if m.At = time.Duration(*c.At); m.At <= 0 {
			return wrong("show: --at is a time after 0s, such as 10m; without it, it is the end of the run")
		}
	}
	kind := c.Type
	if kind == "both" {
		kind = ""
	}
	if _, err := (scenarios.Snapshot{}).Only(c.Part, kind); err != nil {
		return wrong("%w", err)
	}
	v, err := scenarios.Show(ctx, one, m)
	switch mistake := (*spec.Error)(nil); {
	case errors.Is(err, scenarios.ErrMoment), errors.As(err, &mistake):
		return wrong("%w", err)
	case err != nil:
		return err
	}
	if v, err = v.Only(c.Part, kind); err != nil {
		return wrong("%w", err)
	}
	if c.Format == "json" {
		return printJSON(s.out, v)
	}
	_, err = fmt.Fprint(s.out, v)
	return err
}
