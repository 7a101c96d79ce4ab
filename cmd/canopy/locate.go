package main

import (
	"fmt"
	"strings"

	"canopy/cmd/canopy/client"
)

// locate prints where the replicas of a file are.
type locate struct {
	access
	URL     string   `arg:"" help:"The file."`
	Long    bool     `short:"l" help:"Print endpoint and site before each URL."`
	Explain bool     `help:"Print why each replica stands where it does."`
	From    string   `placeholder:"ADDR" help:"Choose as for a client with this IP address."`
	Prefer  []string `placeholder:"NAME" help:"Endpoints or sites to be chosen first."`
	Avoid   []string `placeholder:"NAME" help:"Endpoints or sites to be chosen last."`
	Near    string   `placeholder:"PLACE" help:"Choose as for a client at this site, or at LATITUDE,LONGITUDE."`
	JSON    bool     `help:"Print a JSON object."`
}

// Examples are shown in the help.
func (locate) Examples() string {
	return `
canopy locate https://data.example.org/atlas/run1.root
canopy locate --explain --from 192.0.2.7 https://data.example.org/atlas/run1.root
canopy locate --near GENEVA --avoid tokyo https://data.example.org/atlas/run1.root
`
}

// Run prints the replicas, the first choice first.
func (l locate) Run(w *world) error {
	a, err := address(l.URL)
	if err != nil {
		return err
	}
	c, err := l.open(w, a)
	if err != nil {
		return err
	}
	defer c.Close()
	hints := client.Hints{From: l.From, Prefer: l.Prefer, Avoid: l.Avoid, Near: l.Near}
	found, err := c.Locate(w.ctx, a, hints, l.Explain)
	if err != nil {
		return l.failure("locate", err)
	}
	if found.Answer == nil && (l.Explain || l.From != "" || l.Near != "" || len(l.Prefer)+len(l.Avoid) > 0) {
		w.warn("%s is no Canopy federation: it explains nothing, and chooses without regard to hints", a.Origin)
	}
	w.warnMissing(a, found.Missing)
	switch {
	case l.JSON && found.Answer != nil:
		return w.object(found.Answer)
	case l.JSON:
		return w.object(found)
	case l.Explain && found.Answer != nil:
		return explain(w, found)
	case len(found.Replicas) == 0:
		return fmt.Errorf("locate: %s: no replica can be offered now", shownURL(a))
	}
	for _, r := range found.Replicas {
		line := shown(r.URL)
		if l.Long {
			line = fmt.Sprintf("%-16s %-16s %s", dash(r.Endpoint), dash(r.Site), line)
		}
		if _, err := fmt.Fprintln(w.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return shown(s)
}

// explain prints whom the order of replicas is for, and why it is what it is.
func explain(w *world, found client.Replicas) error {
	var b strings.Builder
	if c := found.Client; c != nil {
		fmt.Fprintf(&b, "for %s, %s\n", dash(c.Address), where(c))
	}
	for _, r := range found.Reasons {
		place := "-"
		if r.Place > 0 {
			place = fmt.Sprintf("%d.", r.Place)
		}
		fmt.Fprintf(&b, "%-3s %-16s %-16s %s\n", place, dash(r.Endpoint), dash(r.Site), dash(r.URL))
		if r.Refused != "" {
			fmt.Fprintf(&b, "    %s\n", shown(r.Refused))
		}
		if r.Equal {
			b.WriteString("    equal to the one above\n")
		}
		for _, s := range r.Scores {
			fmt.Fprintf(&b, "    %s: %s\n", shown(s.Policy), shown(s.Says))
		}
	}
	_, err := fmt.Fprint(w.stdout, b.String())
	return err
}

// where says where the federation believes a client to be.
func where(c *client.Asker) string {
	switch {
	case c.Site != "":
		return "at " + shown(c.Site)
	case c.Location != nil:
		return fmt.Sprintf("near %.1f,%.1f", c.Location[0], c.Location[1])
	case c.Country != "":
		return "in " + shown(c.Country)
	}
	return "nobody knows where"
}
