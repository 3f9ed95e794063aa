package main

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/scenarios"
)

type explainCmd struct {
	What     string `arg:"" name:"file|name" help:"A scenario file, or a name of the catalogue; behind it /CELL, where there are several."`
	From     string `required:"" placeholder:"HOST" help:"The host that sends the first packet, or its address."`
	To       string `required:"" placeholder:"HOST" help:"The host that it is for, or its address; or a multicast group or a broadcast address."`
	Proto    string `default:"tcp" help:"any, icmp, icmpv6, tcp, udp or a number."`
	Port     int    `placeholder:"N" help:"The port at --to, with tcp and udp."`
	FromPort int    `placeholder:"N" help:"The port at --from. None: one that no filter names."`
	Format   string `enum:"text,json" default:"text" help:"text or json."`
}

func (explainCmd) Help() string {
	return `Policies are those that the scenario begins with; nothing is run. The packet is
judged where it leaves and where it arrives, and so is its answer.

Example: which rule protects SQL, and which rules it beats

  ipseclab explain app_sql_as_corrected --from app --to sql --port 1433`
}

func (c explainCmd) Run(s streams) error {
	one, err := single("explain", c.What)
	if err != nil {
		return err
	}
	x, err := scenarios.Explain(one, scenarios.Question{
		From: c.From, To: c.To, Protocol: c.Proto, Port: c.Port, FromPort: c.FromPort,
	})
	if err != nil {
		return wrong("%w", err)
	}
	if c.Format == "json" {
		return printJSON(s.out, x)
	}
	_, err = fmt.Fprintln(s.out, strings.TrimRight(x.String(), "\n"))
	return err
}
