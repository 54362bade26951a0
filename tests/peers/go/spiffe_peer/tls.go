package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func open(ctx context.Context, addr string) (*workloadapi.X509Source, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(addr)))
}

// who lets in exactly that SPIFFE ID or, where it has no path, its whole trust domain.
func who(text string) (tlsconfig.Authorizer, error) {
	id, err := spiffeid.FromString(text)
	if err != nil {
		return nil, err
	}
	if id.Path() == "" {
		return tlsconfig.AuthorizeMemberOf(id.TrustDomain()), nil
	}
	return tlsconfig.AuthorizeID(id), nil
}

// dial's SERVER_ID is the SPIFFE ID that the server has to prove, or the PEM file of the web roots of its name.
// A line of standard input is PATH [BODY-FILE [NAME:VALUE...]]; with a body it is a POST.
func dial(ctx context.Context, words []string) error {
	source, err := open(ctx, words[0])
	if err != nil {
		return err
	}
	var config *tls.Config
	if server, err := who(words[1]); err == nil {
		config = tlsconfig.MTLSClientConfig(source, source, server)
	} else {
		roots, err := rootsFrom(words[1])
		if err != nil {
			return err
		}
		config = tlsconfig.MTLSWebClientConfig(source, roots)
	}
	say(fields{"ready": true})
	eachLine(func(line []string) fields {
		answer, err := request(config, words[2], line)
		if err != nil {
			return failed(err)
		}
		return answer
	})
	return nil
}

func request(config *tls.Config, base string, line []string) (fields, error) {
	// A connection for each, so that every request proves its SVID anew.
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	asked, err := http.NewRequest(http.MethodGet, base+line[0], nil)
	if err != nil {
		return nil, err
	}
	if len(line) > 1 {
		body, err := os.Open(line[1])
		if err != nil {
			return nil, err
		}
		asked.Method, asked.Body = http.MethodPost, body
	}
	for _, field := range line[min(2, len(line)):] {
		name, value, _ := strings.Cut(field, ":")
		asked.Header.Add(name, strings.ReplaceAll(value, "+", " ")) // words of a line hold no blank
	}
	answered, err := client.Do(asked)
	if err != nil {
		return nil, err
	}
	defer answered.Body.Close()
	body, err := io.ReadAll(answered.Body)
	if err != nil {
		return nil, err
	}
	return fields{"status": answered.StatusCode, "body": string(body)}, nil
}

func serve(ctx context.Context, words []string) error {
	source, err := open(ctx, words[0])
	if err != nil {
		return err
	}
	client, err := who(words[1])
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	say(fields{"ready": true, "addr": listener.Addr().String()})
	server := &http.Server{
		TLSConfig: tlsconfig.MTLSServerConfig(source, source, client),
		Handler: http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
			id, err := x509svid.IDFromCert(in.TLS.PeerCertificates[0])
			fmt.Fprintln(out, id, err)
		}),
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return server.ServeTLS(listener, "", "")
}

func rootsFrom(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return roots, nil
}

func fetchBundle(ctx context.Context, words []string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	domain, err := spiffeid.TrustDomainFromString(words[0])
	if err != nil {
		return err
	}
	var how federation.FetchOption
	if words[2] == "web" {
		roots, err := rootsFrom(words[3])
		if err != nil {
			return err
		}
		how = federation.WithWebPKIRoots(roots)
	} else {
		id, err := spiffeid.FromString(words[4])
		if err != nil {
			return err
		}
		first, err := spiffebundle.Load(id.TrustDomain(), words[3])
		if err != nil {
			return err
		}
		how = federation.WithSPIFFEAuth(first, id)
	}
	bundle, err := federation.FetchBundle(ctx, domain, words[1], how)
	if err != nil {
		return err
	}
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	text, err := bundle.Marshal()
	if err != nil {
		return err
	}
	say(fields{"id": domain.IDString(), "x509": len(bundle.X509Authorities()), "jwt": len(bundle.JWTAuthorities()),
		"wit": len(bundle.WITAuthorities()), "sequence": sequence, "refresh_s": int(hint.Seconds()), "bundle": string(text)})
	return nil
}
