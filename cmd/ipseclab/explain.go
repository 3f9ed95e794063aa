package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios"
)

type explainCmd struct {
	What      string  `arg:"" name:"file|name" help:"A scenario file, or a name of the catalogue; behind it /CELL, where there are several."`
	From      string  `required:"" placeholder:"HOST" help:"The host that sends the first packet, or its address."`
	To        string  `required:"" placeholder:"HOST" help:"The host that it is for, or its address; or a multicast group or a broadcast address."`
	Proto     string  `default:"tcp" help:"any, icmp, icmpv6, tcp, udp or a number."`
	Port      int     `placeholder:"N" help:"The port at --to, with tcp and udp."`
	FromPort  int     `placeholder:"N" help:"The port at --from. None: one that no filter names."`
	Direction string  `enum:"out,in,both" default:"both" help:"out: where packets leave; in: where they arrive; or both."`
	At        *moment `placeholder:"TIME" help:"Run the scenario to this virtual time, as in 10m, and ask the hosts as they are then."`
	Format    string  `enum:"text,json" default:"text" help:"text or json."`
}

func (explainCmd) Help() string {
	return `The packet is judged where it leaves and where it arrives, and so is its answer: all
filters that match, in the order of the search, with the lines where they are written;
which one decides and why; and what would happen now, with what is offered or
accepted to protect the packet. Policies are those that the scenario begins with, and
nothing is run; with --at it is run, and SAs, soft SAs and policies are those of that time.

Example: which rule protects SQL, and which rules it beats

  ipseclab explain app_sql_as_corrected --from app --to sql --port 1433`
}

func (c explainCmd) Run(ctx context.Context, s streams) error {
	one, err := single("explain", c.What)
	if err != nil {
		return err
	}
	q := scenarios.Question{From: c.From, To: c.To, Protocol: c.Proto, Port: c.Port, FromPort: c.FromPort}
	if c.Direction != "both" {
		q.Direction = c.Direction
	}
	var x *scenarios.Explanation
	switch {
	case c.At == nil:
		x, err = scenarios.Explain(one, q)
	case *c.At <= 0:
		return wrong("explain: --at is a time after 0s, such as 10m; without it nothing is run")
	default:
		x, err = scenarios.ExplainAt(ctx, one, q, time.Duration(*c.At))
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, scenarios.ErrBroken):
		return err
	case err != nil:
		return wrong("%w", err)
	}
	if c.Format == "json" {
		return printJSON(s.out, x)
	}
	_, err = fmt.Fprintln(s.out, strings.TrimRight(x.String(), "\n"))
	return err
}
