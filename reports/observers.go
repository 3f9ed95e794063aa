package reports

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/result"
)

// maxObserverRows is how much of one observer a report lists.
const maxObserverRows = 200

// observerView is one observer with a row for each thing that it noted.
type observerView struct {
	Name, What, Place string
	Rows              limited[observerRow]
	Figures           []figure // of an inspector
}

// observerRow is an amount of traffic, or a record of accounting.
type observerRow struct {
	What, Packets, Bytes, Share, More string
}

// kindWords are the kinds of observers for a reader.
var kindWords = map[string]string{
	"inspect": "intrusion detection system", "classify": "classifier", "account": "accounting of flows", "probe": "protocol distribution", "queue": "queue",
}

// observerViews are the observers of a run, as the report shows them.
func observerViews(all []result.Observer) (views []observerView) {
	for _, o := range all {
		v := observerView{Name: o.Name, What: kindWords[o.Kind], Place: o.Node}
		switch {
		case v.What == "":
			v.What = o.Kind
		case o.Kind == "queue":
			v.Place += ", to segment " + o.Segment
		case o.Node == "":
			v.Place = "segment " + o.Segment
		}
		var total uint64
		for _, c := range o.Counts {
			total += c.Bytes
		}
		add := func(prefix string, list []result.Count, shares bool) {
			for _, c := range list {
				if c.Packets == 0 {
					continue
				}
				row := observerRow{What: prefix + c.Name, Packets: count(c.Packets), Bytes: size(c.Bytes)}
				if shares && total > 0 {
					row.Share = fmt.Sprintf("%.1f %%", 100*float64(c.Bytes)/float64(total))
				}
				v.Rows.add(row, maxObserverRows)
			}
		}
		add("", o.Counts, true)
		add("service ", o.Services, true)
		add("dropped: ", o.Dropped, false)
		add("queue of ", o.Queues, true)
		if r := o.Reading; r != nil {
			add("payload ", []result.Count{{Name: "that it could read", Packets: r.Read.Packets, Bytes: r.Read.Bytes}}, true)
			add("payload ", []result.Count{{Name: "of which it is unsure", Packets: r.Unsure.Packets, Bytes: r.Unsure.Bytes}}, true)
			add("payload ", []result.Count{{Name: "that it could not read", Packets: r.Opaque.Packets, Bytes: r.Opaque.Bytes}}, true)
			v.Figures = append(v.Figures,
				figure{count(r.ESPNull), "flows of ESP without encryption"}, figure{count(r.ESPEncrypted), "flows of encrypted ESP"})
			for _, a := range r.Alerts {
				v.Figures = append(v.Figures, figure{count(a.Found), "alerts for " + a.Pattern})
			}
		}
		for _, f := range o.Records {
			row := observerRow{
				What: fmt.Sprintf("%s %s → %s", f.Protocol, flowEnd(f.Source, f.SourcePort), flowEnd(f.Destination, f.DestinationPort)), Packets: count(f.Packets), Bytes: size(f.Bytes),
				More: fmt.Sprintf("%s to %s", clock(f.First), clock(f.Last)),
			}
			if f.End != "" {
				row.More += ", ended: " + f.End
			}
			v.Rows.add(row, maxObserverRows)
		}
		views = append(views, v)
	}
	return views
}

// flowEnd is an address with its port, where there is one.
func flowEnd(address string, port uint16) string {
	if port == 0 {
		return address
	}
	return fmt.Sprintf("%s port %d", address, port)
}
