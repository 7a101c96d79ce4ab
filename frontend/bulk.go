package frontend

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"

	"canopy/federator"
	"canopy/plugins"
)

// The limits of one request for many paths.
const (
	maxBulk      = 64 << 20 // bytes
	maxBulkPaths = 100_000
)

// inquiry is a request for many paths. The hints are those of the query.
type inquiry struct {
	Paths  []string `json:"paths"`
	From   string   `json:"from"`
	Near   string   `json:"near"`
	Prefer []string `json:"prefer"`
	Avoid  []string `json:"avoid"`
}

// bulk finds the replicas of many paths: a JSON object with "paths", or one
// JSON string a line (application/x-ndjson) with the hints in the query. It
// answers one JSON object a line, in the order of the paths: the replicas, or
// what went wrong with this path.
func (x *exchange) bulk() error {
	ask, err := x.inquiry()
	if err != nil {
		return err
	}
	q := x.Request.URL.Query()
	for key, values := range map[string][]string{"prefer": ask.Prefer, "avoid": ask.Avoid, "from": {ask.From}, "near": {ask.Near}} {
		if len(values) > 0 && values[0] != "" {
			q[key] = values
		}
	}
	if err := x.place(q, true); err != nil {
		return err
	}
	h := x.Header()
	h["Content-Type"] = []string{typeNDJSON}
	h["Cache-Control"] = uncached
	h["X-Content-Type-Options"] = []string{"nosniff"}
	x.expose()
	x.WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(x, flushAt)
	// A write that fails is told by each one after it.
	idle := func() {
		if out.Buffered() > 0 && out.Flush() == nil {
			x.Flush()
		}
	}
	ctx := x.Request.Context()
	for line := range ordered(ctx, slices.Values(ask.Paths), x.h.lookups, x.line, idle) {
		if _, err := out.Write(line); err != nil {
			return errBroken
		}
	}
	if out.Flush() != nil || ctx.Err() != nil {
		return errBroken
	}
	return nil
}

// line returns what is known of one of many paths, as a line of JSON.
func (x *exchange) line(path string) []byte {
	clean, _, ok := cleanPath(path)
	if path == "" || !ok {
		return failedLine(path, invalid("The path is not absolute, too long, or holds a byte that no name can have."))
	}
	p := x.locate(clean, federator.All)
	if p.err != nil {
		return failedLine(path, problemOf(p.err))
	}
	first := 0
	if p.d.Kind() == plugins.File {
		first = p.d.Deal()
	}
	l := x.describeReplicas(p.d, first)
	l.Path = path
	b, err := json.Marshal(l)
	if err != nil {
		return failedLine(path, problemOf(err))
	}
	return append(b, '\n')
}

// failedLine returns what went wrong with one of many paths.
func failedLine(path string, p *problem) []byte {
	b := append([]byte(`{"path":`), appendString(nil, path)...)
	b = append(b, ',')
	return append(b, p.json("")[1:]...)
}

// inquiry reads the request.
func (x *exchange) inquiry() (inquiry, error) {
	var ask inquiry
	media, _, err := mime.ParseMediaType(x.Request.Header.Get("Content-Type"))
	if err != nil && x.Request.Header.Get("Content-Type") != "" {
		return ask, invalid("The Content-Type cannot be understood.")
	}
	body := &io.LimitedReader{R: x.Request.Body, N: maxBulk + 1}
	switch media {
	case typeNDJSON, "application/jsonl", "application/x-jsonlines":
		ask.Paths, err = pathLines(body)
	case "", typeJSON, "application/x-www-form-urlencoded": // what curl -d says of its own accord
		in := json.NewDecoder(body)
		in.DisallowUnknownFields()
		if err = in.Decode(&ask); err == nil && ask.Paths == nil {
			err = errors.New("no paths")
		}
	default:
		return ask, &problem{status: http.StatusUnsupportedMediaType, sentence: "Send JSON, or one JSON string a line as application/x-ndjson."}
	}
	switch {
	case body.N <= 0 || len(ask.Paths) > maxBulkPaths:
		return ask, &problem{status: http.StatusRequestEntityTooLarge, sentence: "At most 100000 paths and 64 MiB can be asked for at once."}
	case err != nil:
		return ask, &problem{status: http.StatusBadRequest, sentence: `Send {"paths": ["/a/b"]}, or one JSON string a line as application/x-ndjson.`, cause: err}
	}
	return ask, nil
}

// pathLines reads JSON strings, whatever white space is between them.
func pathLines(body io.Reader) (paths []string, err error) {
	in := json.NewDecoder(body)
	for len(paths) <= maxBulkPaths {
		var p string
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			return paths, nil
		} else if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}
