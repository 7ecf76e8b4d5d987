//! vsftpd with its usual settings, chrooted local users, no delays.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Launch, Setup, config, peer};
use crate::Scratch;

pub(super) fn launch(setup: &Setup, scratch: &Scratch, root: &Path, address: SocketAddr) -> Launch {
    let yes = |on| if on { "YES" } else { "NO" };
    let empty = scratch.path().join("empty");
    std::fs::create_dir_all(&empty).expect("empty directory");
    let (ip, port) = (address.ip(), address.port());
    let (four, six) = (yes(ip.is_ipv4()), yes(ip.is_ipv6()));
    let listen = if ip.is_ipv4() {
        "listen_address"
    } else {
        "listen_address6"
    };
    let mut text = format!(
        "listen={four}\nlisten_ipv6={six}\n{listen}={ip}\nlisten_port={port}\nbackground=NO\n\
         anonymous_enable={}\nlocal_enable=YES\nwrite_enable={}\nlocal_umask=022\n\
         chroot_local_user=YES\nallow_writeable_chroot=YES\ncheck_shell=NO\nno_anon_password=NO\n\
         anon_root={}\nanon_world_readable_only=NO\npam_service_name=wharf-acceptance\n\
         secure_chroot_dir={}\nnopriv_user=nobody\nxferlog_enable=NO\nsession_support=NO\n\
         isolate_network=NO\nmax_clients=0\nmax_per_ip=0\nascii_upload_enable=YES\n\
         ascii_download_enable=YES\nmdtm_write=YES\nasync_abor_enable=YES\nls_recurse_enable=NO\n\
         delay_failed_login=0\ndelay_successful_login=0\n",
        yes(setup.anonymous),
        yes(!setup.read_only),
        root.display(),
        empty.display(),
    );
    if let Some((low, high)) = setup.passive_ports {
        text += &format!("pasv_min_port={low}\npasv_max_port={high}\n");
    }
    if let Some(tls) = &setup.tls {
        // Its one pair of keys takes other kinds than RSA, too.
        let certificates = scratch.path().join("tls");
        let certificates = certificates.display();
        text += &format!(
            "ssl_enable=YES\nallow_anon_ssl=YES\nrsa_cert_file={certificates}/server.pem\n\
             rsa_private_key_file={certificates}/server.key\nforce_local_logins_ssl={}\n\
             force_local_data_ssl={}\nrequire_ssl_reuse={}\nimplicit_ssl={}\nssl_ciphers=HIGH\n",
            yes(tls.require.login()),
            yes(tls.require.data()),
            yes(tls.reuse),
            yes(tls.implicit),
        );
        if tls.client_certificates {
            text += &format!(
                "require_cert=YES\nvalidate_cert=YES\nca_certs_file={certificates}/ca.pem\n"
            );
        }
    }
    let mut command = Command::new(peer("vsftpd/usr/sbin/vsftpd"));
    command.arg(config(scratch, "vsftpd.conf", &text));
    Launch {
        command,
        accounts: true,
    }
}
