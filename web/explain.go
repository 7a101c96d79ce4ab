package web

import "io"

// ExplainPage is why the replicas of one file stand in the order they do, or
// which endpoints a directory is on.
type ExplainPage struct {
	Page
	// Directory is set for a directory. Its Replicas are the endpoints, of
	// which none goes before another.
	Directory bool
	// Facts are what is known of the file: size, time, checksums.
	Facts []Fact
	// Download is where the file itself, or the directory's listing, is; ""
	// when it cannot be had.
	Download string
	// Columns are the heads of the table, the first one naming the replica,
	// the others what it was judged by.
	Columns []string
	// Replicas are the lines of the table in the order of choice, those that
	// are offered first.
	Replicas []Replica
	// Silent are the endpoints that could not be asked.
	Silent []Missing
	// Notes are sentences shown below the table.
	Notes []string
}

// Fact is a name with its value.
type Fact struct{ Name, Value string }

// Replica is one line of the table that explains a choice.
type Replica struct {
	// Href leads to this replica; "" if there is no such link.
	Href string
	// Cells are the texts under ExplainPage.Columns.
	Cells []string
	// Offered is unset for one that clients are not sent to.
	Offered bool
}

// placed is a replica with its place among those offered, 0 for the others and
// where there is no order.
type placed struct {
	Replica
	Place int
}

// numbered are the replicas with their places.
func (e ExplainPage) numbered() []placed {
	lines := make([]placed, len(e.Replicas))
	place := 0
	for i, r := range e.Replicas {
		lines[i].Replica = r
		if r.Offered && !e.Directory {
			place++
			lines[i].Place = place
		}
	}
	return lines
}

// caption says what the table shows.
func (e ExplainPage) caption() string {
	if e.Directory {
		if len(e.Replicas) > 0 {
			return "The endpoints that it is on"
		}
		return "It is there because the configuration says so; no endpoint that answered has it"
	}
	for _, r := range e.Replicas {
		if r.Offered {
			return "Where it is, in the order in which you would be sent there"
		}
	}
	if len(e.Replicas) > 0 {
		return "Copies are known, but none can be offered now"
	}
	return "No copy is known"
}

// Explain writes the page about the replicas of a file, or the endpoints of a
// directory. The error is that of w, or
// of the template.
func (p *Pages) Explain(w io.Writer, e ExplainPage) error {
	return p.render(w, "explain", e)
}
