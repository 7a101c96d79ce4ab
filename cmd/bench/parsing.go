package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"time"

	"canopy/plugins/wire/multistatus"
)

// parsing measures the scanner for what endpoints answer against encoding/xml,
// on a listing as a storage in this program sends it.
func parsing(_ context.Context, b *bench) error {
	doc := []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n")
	for n := range listed {
		doc = appendFile(doc, "d", n)
	}
	doc = append(doc, "</D:multistatus>\n"...)
	var ratio, each sample
	for range b.rounds {
		ours, err := clocked(doc, scan)
		if err != nil {
			return err
		}
		theirs, err := clocked(doc, unmarshal)
		if err != nil {
			return err
		}
		ratio = append(ratio, float64(theirs)/float64(ours))
		each = append(each, float64(ours)/1e3/listed)
	}
	b.least("entries/s, ratio", ratio, 4)
	note("µs for an entry", each.String())
	return nil
}

// clocked returns how long parse takes for doc, the best of a few attempts.
func clocked(doc []byte, parse func([]byte) (int, error)) (time.Duration, error) {
	best := time.Hour
	for range 3 {
		began := time.Now()
		n, err := parse(doc)
		if err != nil || n != listed {
			return 0, fmt.Errorf("%d entries instead of %d: %w", n, listed, err)
		}
		best = min(best, time.Since(began))
	}
	return best, nil
}

func scan(doc []byte) (n int, err error) {
	for r, err := range multistatus.Scan(bytes.NewReader(doc), multistatus.Limits{}) {
		if err != nil {
			return n, err
		}
		if r.Length >= 0 && !r.Modified.IsZero() {
			n++
		}
	}
	return n, nil
}

func unmarshal(doc []byte) (n int, err error) {
	var d struct {
		Responses []struct {
			Href     string `xml:"DAV: href"`
			Status   string `xml:"DAV: status"`
			Propstat []struct {
				Status string `xml:"DAV: status"`
				Prop   struct {
					Type struct {
						Collection *struct{} `xml:"DAV: collection"`
					} `xml:"DAV: resourcetype"`
					Length   int64  `xml:"DAV: getcontentlength"`
					Modified string `xml:"DAV: getlastmodified"`
					ETag     string `xml:"DAV: getetag"`
				} `xml:"DAV: prop"`
			} `xml:"DAV: propstat"`
		} `xml:"DAV: response"`
	}
	err = xml.NewDecoder(bytes.NewReader(doc)).Decode(&d)
	return len(d.Responses), err
}
